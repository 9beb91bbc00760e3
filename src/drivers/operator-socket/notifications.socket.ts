import type { Queue } from '../queue/queue.ts';
import type { OperatorConnection } from './operator-connection.ts';

/** Tells the stages of a running host of work, over its operator socket. */
export class SocketNotifications {
  readonly kind = 'memory';
  readonly #connection: OperatorConnection;

  constructor(connection: OperatorConnection) {
    this.#connection = connection;
  }

  /** The host's queue of this name, as far as a command needs it. */
  queue(name: string): Pick<Queue, 'add'> {
    return {
      add: async (notifications) => {
        await this.#connection.request({ kind: 'queue.add', queue: name, notifications });
      },
    };
  }
}
