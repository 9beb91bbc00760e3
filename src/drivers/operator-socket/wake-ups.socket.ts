import type { Queue } from '../queue/queue.ts';
import type { OperatorConnection } from './operator-connection.ts';

/** Wakes the stages of a running host, over its operator socket. */
export class SocketWakeUps {
  readonly #connection: OperatorConnection;

  constructor(connection: OperatorConnection) {
    this.#connection = connection;
  }

  /** The host's queue of this name, as far as a command needs it. */
  queue(name: string): Pick<Queue, 'add'> {
    return {
      add: async (wakeUps) => {
        await this.#connection.request({ kind: 'queue.add', queue: name, wakeUps });
      },
    };
  }
}
