import type { Uuid } from '../../kernel/ids.ts';

/*
 * Which endpoints are sent to next. At most `slots` requests are under way. A team may begin another one while it has fewer than are free for
 * all, and an endpoint while it has fewer than `endpointSlots`: so endpoints that take every request to its time-out leave slots to others. They
 * are served in turn, the one first that was served longest ago. All of this is the memory of one process.
 */

/** Requests at the same time over all endpoints, and to one. */
export const slots = 64;
export const endpointSlots = 4;

export interface ServedEndpoint {
  readonly id: Uuid;
  /** Null: it is of no team. */
  readonly team: string | null;
}

export class DeliveryTurns {
  readonly #served = new Map<Uuid, number>();
  readonly #underWay = new Map<Uuid, { readonly team: string | null; count: number }>();
  #turn = 0;

  get free(): number {
    let free = slots;
    for (const { count } of this.#underWay.values()) free -= count;
    return free;
  }

  /** How many requests may begin to which of these, all together no more than are free. */
  share(endpoints: readonly ServedEndpoint[]): ReadonlyMap<Uuid, number> {
    const known = new Set(endpoints.map(({ id }) => id));
    for (const id of this.#served.keys())
      if (!known.has(id) && !this.#underWay.has(id)) this.#served.delete(id);
    const rooms = new Map<Uuid, number>();
    const teams = new Map<string | null, number>();
    for (const { team, count } of this.#underWay.values()) teams.set(team, (teams.get(team) ?? 0) + count);
    let { free } = this;
    const inTurn = endpoints.toSorted(
      (one, other) => (this.#served.get(one.id) ?? 0) - (this.#served.get(other.id) ?? 0),
    );
    // One request to each in turn, then another round: the first ones do not take all.
    for (let round = 0; round < endpointSlots && free > 0; round += 1) {
      for (const { id, team } of inTurn) {
        const ofTeam = teams.get(team) ?? 0;
        const ofEndpoint = (this.#underWay.get(id)?.count ?? 0) + (rooms.get(id) ?? 0);
        if (free === 0 || ofEndpoint >= endpointSlots || ofTeam >= free) continue;
        rooms.set(id, (rooms.get(id) ?? 0) + 1);
        teams.set(team, ofTeam + 1);
        free -= 1;
      }
    }
    return rooms;
  }

  begin({ id, team }: ServedEndpoint): void {
    this.#turn += 1;
    this.#served.set(id, this.#turn);
    const before = this.#underWay.get(id);
    if (before === undefined) this.#underWay.set(id, { team, count: 1 });
    else before.count += 1;
  }

  end({ id }: ServedEndpoint): void {
    const before = this.#underWay.get(id);
    if (before === undefined) return;
    before.count -= 1;
    if (before.count === 0) this.#underWay.delete(id);
  }
}
