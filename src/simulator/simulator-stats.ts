/** What the simulator has served since it started. */
export interface SimulatorStats {
  readonly requests: number;
  readonly inFlight: number;
  /** Clients that were gone before the whole answer was sent; broken answers are not among them. */
  readonly clientsGone: number;
  readonly byEndpoint: Readonly<Record<string, number>>;
  readonly byFault: Readonly<Record<string, number>>;
  /** What a hostile provider did, by trick. */
  readonly byTrick: Readonly<Record<string, number>>;
  /** By HTTP status; an answer that never began has none. */
  readonly byStatus: Readonly<Record<string, number>>;
}

export class StatsCounter {
  #requests = 0;
  #inFlight = 0;
  #clientsGone = 0;
  readonly #byEndpoint: Record<string, number> = {};
  readonly #byFault: Record<string, number> = {};
  readonly #byTrick: Record<string, number> = {};
  readonly #byStatus: Record<string, number> = {};

  begin(endpoint: string): void {
    this.#requests += 1;
    this.#inFlight += 1;
    this.#byEndpoint[endpoint] = (this.#byEndpoint[endpoint] ?? 0) + 1;
  }

  end(status: number | undefined): void {
    this.#inFlight -= 1;
    if (status !== undefined) this.#byStatus[status] = (this.#byStatus[status] ?? 0) + 1;
  }

  fault(name: string): void {
    this.#byFault[name] = (this.#byFault[name] ?? 0) + 1;
  }

  trick(name: string): void {
    this.#byTrick[name] = (this.#byTrick[name] ?? 0) + 1;
  }

  clientGone(): void {
    this.#clientsGone += 1;
  }

  read(): SimulatorStats {
    return {
      requests: this.#requests,
      inFlight: this.#inFlight,
      clientsGone: this.#clientsGone,
      byEndpoint: { ...this.#byEndpoint },
      byFault: { ...this.#byFault },
      byTrick: { ...this.#byTrick },
      byStatus: { ...this.#byStatus },
    };
  }
}
