import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId } from '../../src/kernel/ids.ts';
import { Joins } from '../../src/engine/ledger/joins.ts';
import { MessageCancellations } from '../../src/engine/ledger/message-cancellations.ts';
import type { Emission, Join } from '../../src/engine/ledger/message-changes.ts';
import type { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import { replayTrees } from '../../src/engine/ledger/replay-sql.ts';
import { SweepLedger } from '../../src/engine/ledger/sweep-ledger.ts';
import { SeededRandom } from '../chaos/seeded-random.ts';
import { pruneAll } from '../support/prune-all.ts';
import { depth, testSeed } from '../support/test-depth.ts';
import { leaseMs, LedgerHarness, someLedger } from '../support/ledger-fixture.ts';

interface Joined {
  readonly root: string;
  /** The message that waits. */
  readonly join: string;
  readonly children: readonly string[];
}

interface JoinParts {
  readonly quorum?: number;
  readonly timeoutMs?: number;
  readonly isMessageOnly?: boolean;
  readonly outputs?: number;
  readonly parent?: string;
}

/** What the ledger promises about messages that wait for others, on whichever database. */
export function joinsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`joins on ${name}`, () => {
    let harness: LedgerHarness;
    let database: SqlDatabase;
    let ledger: MessageLedger;
    let joins: Joins;

    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
      ({ database, ledger } = harness);
      joins = new Joins(database);
    });

    /** A message that has emitted so many others, and one that waits for them. */
    async function joined(children: number, parts: JoinParts = {}): Promise<Joined> {
      const { quorum, timeoutMs, isMessageOnly = false, outputs = 0 } = parts;
      const root = parts.parent ?? (await harness.admitted());
      const join = newId(new Date());
      const ids = Array.from({ length: children }, () => newId(new Date()));
      const emissions: Emission[] = ids.map((id, index) => ({
        ...harness.emission(id, index < outputs ? '' : 'second'),
        branch: { id, isMessageOnly },
      }));
      const waits: Emission = {
        ...harness.emission(join, 'third'),
        joinId: join,
        waits: { parkedFor: 'join', timeoutMs },
      };
      await finished(
        root,
        [...emissions, waits],
        [
          {
            id: join,
            quorum,
            branches: ids.map((id, index) => ({ id, type: 'thing.done', isOutput: index < outputs })),
          },
        ],
      );
      return { root, join, children: ids };
    }

    async function finished(
      id: string,
      emissions: readonly Emission[] = [],
      made: readonly Join[] = [],
      result?: string,
      by: MessageLedger = ledger,
    ): Promise<void> {
      const { fencingToken } = await harness.leased(id, by);
      expect(await by.finish({ id, fencingToken, result, emissions, joins: made, durationMs: 1 })).toBe(true);
    }

    async function died(id: string): Promise<void> {
      const { fencingToken } = await harness.leased(id);
      const end = { code: 'TOO_BAD', detail: '{}', outcomeLine: '{}' };
      expect(await ledger.end({ id, fencingToken, state: 'dead_lettered', ...end })).toBe(true);
    }

    const operation = () => ({
      id: newId(new Date()),
      actor: 'test',
      target: 'test',
      detail: {},
      reason: 'test',
    });

    async function cancelled(id: string): Promise<void> {
      const cancellations = new MessageCancellations(database);
      const [open] = await cancellations.readOpen([id]);
      const fencingToken = open?.message.fencingToken ?? -1;
      await cancellations.cancel([{ id, fencingToken, outcomeLine: '{}' }], operation(), '{}');
    }

    async function replayed(root: string): Promise<void> {
      await database.query(replayTrees, [
        [root],
        100,
        newId(new Date()),
        'test',
        'replay',
        'test',
        '{}',
        'test',
      ]);
    }

    const waits = async ({ join }: Joined): Promise<boolean> => {
      const { rows } = await database.query<{ waits: boolean }>(
        {
          name: 'test.waits',
          text: `select m.parked_for is not null and m.state = 'pending' as waits from millrace.messages m where m.id = $1::uuid`,
        },
        [join],
      );
      return rows[0]?.waits === true;
    };
    const states = async ({ join }: Joined) =>
      (await joins.branches(join, 0, 100)).map(({ state, errorCode }) => errorCode ?? state);

    it('go on when all branches have ended, however they did, and not before', async () => {
      const all = await joined(3);
      const [first = '', second = '', third = ''] = all.children;
      await finished(first, [], [], '{"n":1}');
      await died(second);
      expect(await waits(all)).toBe(true);
      expect(await joins.letGo([first, second])).toEqual([]);
      await cancelled(third);
      expect(await waits(all)).toBe(false);
      expect(await joins.letGo([third])).toEqual([{ id: all.join, stage: 'third' }]);
      expect(await joins.find(all.join)).toEqual({
        total: 3,
        quorum: undefined,
        ended: 3,
        succeeded: 1,
        releasedBy: 'all',
      });
      expect(await states(all)).toEqual(['succeeded', 'TOO_BAD', 'MILLRACE_MESSAGE_CANCELLED']);
      const [said] = await joins.branches(all.join, 0, 1);
      expect(said?.said).toEqual([{ kind: 'inline', json: '{"n":1}' }]);
      expect((await joins.branches(all.join, 1, 5)).map(({ place }) => place)).toEqual([2, 3]);
      await finished(all.join);
    });

    it('wait for what follows from a branch, unless only its message is meant', async () => {
      const whole = await joined(1);
      const alone = await joined(1, { isMessageOnly: true });
      const later = [newId(new Date()), newId(new Date())];
      for (const [index, { children }] of [whole, alone].entries())
        await finished(children[0] ?? '', [harness.emission(later[index] ?? '')]);
      expect([await waits(whole), await waits(alone)]).toEqual([true, false]);
      // Of a leaf what its handler said, and of an output its data.
      await finished(later[0] ?? '', [harness.emission(newId(new Date()), '')], [], '7');
      expect(await waits(whole)).toBe(false);
      expect((await joins.branches(whole.join, 0, 9))[0]?.said).toEqual([{ kind: 'inline', json: '{}' }]);
    });

    it('go on with their quorum, and as soon as it cannot be met any more', async () => {
      const met = await joined(3, { quorum: 2 });
      const [one = '', two = '', three = ''] = met.children;
      await died(one);
      await finished(two);
      expect(await waits(met)).toBe(true);
      await finished(three);
      expect(await joins.find(met.join)).toMatchObject({ releasedBy: 'quorum', ended: 3, succeeded: 2 });
      const missed = await joined(3, { quorum: 2 });
      await died(missed.children[0] ?? '');
      expect(await waits(missed)).toBe(true);
      await died(missed.children[2] ?? '');
      expect(await waits(missed)).toBe(false);
      expect(await joins.find(missed.join)).toMatchObject({ releasedBy: 'unreachable', ended: 2 });
      // What ends afterwards changes nothing of what the join sees.
      await finished(missed.children[1] ?? '');
      expect(await states(missed)).toEqual(['TOO_BAD', 'open', 'TOO_BAD']);
    });

    it('go on when their time limit is over, once', async () => {
      const late = await joined(2, { timeoutMs: 60_000 });
      const never = await joined(1);
      await finished(late.children[0] ?? '');
      const sweeps = new SweepLedger(database);
      expect(await sweeps.sweep(10)).toEqual([]);
      await database.execute(
        `update millrace.messages set sweep_at = sweep_at - interval '1 hour' where parked_for = 'join'`,
      );
      expect(await sweeps.sweep(10)).toMatchObject([{ id: late.join, stage: 'third', isParked: false }]);
      expect([await waits(late), await waits(never)]).toEqual([false, true]);
      expect(await joins.find(late.join)).toMatchObject({ releasedBy: 'timeout', ended: 1, succeeded: 1 });
      await finished(late.children[1] ?? '');
      expect(await joins.find(late.join)).toMatchObject({ ended: 1 });
    });

    it('count a dead letter that lives again once more, but not after they have gone on', async () => {
      const { root, ...rest } = await joined(2);
      const all = { root, ...rest };
      const [one = '', two = ''] = all.children;
      await died(one);
      expect(await joins.find(all.join)).toMatchObject({ ended: 1, succeeded: 0 });
      await replayed(root);
      expect(await joins.find(all.join)).toMatchObject({ ended: 0, succeeded: 0 });
      await finished(two);
      expect(await waits(all)).toBe(true);
      await finished(one);
      expect(await joins.find(all.join)).toMatchObject({ ended: 2, succeeded: 2, releasedBy: 'all' });
      const gone = await joined(1);
      await died(gone.children[0] ?? '');
      await replayed(gone.root);
      expect(await waits(gone)).toBe(false);
      await finished(gone.children[0] ?? '');
      expect(await states(gone)).toEqual(['TOO_BAD']);
      await finished(gone.join);
    });

    it('wait for joins inside of them', async () => {
      const outer = await joined(1);
      const inner = await joined(2, { parent: outer.children[0] ?? '' });
      await finished(inner.children[0] ?? '');
      await finished(inner.children[1] ?? '');
      expect([await waits(inner), await waits(outer)]).toEqual([false, true]);
      await finished(inner.join);
      expect(await waits(outer)).toBe(false);
    });

    it('count outputs as they are written', async () => {
      const some = await joined(3, { outputs: 2 });
      expect(await joins.find(some.join)).toMatchObject({ ended: 2, succeeded: 2 });
      await finished(some.children[2] ?? '');
      expect(await waits(some)).toBe(false);
    });

    it('go on once, however many workers end the last branches at the same time', async () => {
      const workers = [ledger, someLedger(database, 'worker-2'), someLedger(database, 'worker-3')];
      const some = await Promise.all(Array.from({ length: 4 }, () => joined(9)));
      const leased = await Promise.all(
        some.flatMap(({ children }) => children).map(async (id) => await harness.leased(id)),
      );
      await Promise.all(
        leased.map(async ({ envelope: { id }, fencingToken }, index) => {
          const by = workers[index % workers.length] ?? ledger;
          await (index % 4 === 3
            ? by.end({ id, fencingToken, state: 'dead_lettered', code: 'X', detail: '{}', outcomeLine: '{}' })
            : by.finish({ id, fencingToken, result: undefined, emissions: [], durationMs: 1 }));
        }),
      );
      const outcomes = await Promise.all(some.map(({ join }) => joins.find(join)));
      expect(outcomes.map((one) => one?.ended)).toEqual([9, 9, 9, 9]);
      expect(outcomes.reduce((sum, one) => sum + (one?.succeeded ?? 0), 0)).toBe(27);
      for (const one of some) {
        expect((await ledger.claim({ stage: 'third', leaseMs })).kind).toBe('leased');
        expect((await harness.stateOf(one.join))?.fencing_token).toBeLessThanOrEqual(1);
      }
      expect((await ledger.claim({ stage: 'third', leaseMs })).kind).toBe('none');
    });

    it('keep what they read until they have ended, and leave the ledger with their messages', async () => {
      const some = await joined(2);
      for (const child of some.children) await finished(child, [], [], '1');
      const old = async () => {
        await database.execute(`update millrace.messages set created_at = created_at - interval '2 days', finished_at = finished_at - interval '2 days';
          delete from millrace.outbox`);
        await pruneAll(database, { finishedMs: 86_400_000, exportedMs: 86_400_000 }, 10);
        const { rows } = await database.query<{ messages: number; joins: number; branches: number }>({
          name: 'test.left_of_joins',
          text: `select (select count(*)::int from millrace.messages) as messages, (select count(*)::int from millrace.joins) as joins,
            (select count(*)::int from millrace.join_branches) as branches`,
        });
        return rows[0];
      };
      // The parent may go; what the join reads, and the join, may not.
      expect(await old()).toEqual({ messages: 3, joins: 1, branches: 2 });
      await finished(some.join);
      expect(await old()).toEqual({ messages: 0, joins: 0, branches: 0 });
    });

    it(
      'all go on once, none early, whatever their sizes, while leases run out',
      { timeout: 3_600_000 },
      async () => {
        const draws = new SeededRandom(`joins/${testSeed}`);
        const random = (): number => draws.next();
        const sizes = Array.from(
          { length: depth({ usual: 6, full: 10_000 }) },
          () => 2 + Math.floor(random() * depth({ usual: 20, full: 199 })),
        );
        const own = ledger;
        const workers = [own, someLedger(database, 'worker-2'), someLedger(database, 'worker-3')];
        const slice = 50;
        for (let at = 0; at < sizes.length; at += slice) {
          const open = new Map<string, Joined & { left: number }>();
          for (const size of sizes.slice(at, at + slice)) {
            const one = await joined(size);
            open.set(one.join, { ...one, left: size });
          }
          const joinOf = new Map(
            [...open.values()].flatMap(({ join, children }) => children.map((id) => [id, join] as const)),
          );
          while (joinOf.size > 0) {
            const claims = await Promise.all(
              Array.from({ length: 60 }, (_, n) =>
                (workers[n % 3] ?? own).claim({ stage: 'second', leaseMs }),
              ),
            );
            if (random() < 0.2) {
              await harness.expireLeases();
              await database.execute(
                `update millrace.messages set available_at = clock_timestamp() where state = 'pending'`,
              );
            }
            const early = await ledger.claim({ stage: 'third', leaseMs });
            if (early.kind === 'leased') {
              const {
                envelope: { id },
                fencingToken,
              } = early.message;
              expect(open.get(id)?.left).toBe(0);
              expect(
                await ledger.finish({ id, fencingToken, result: undefined, emissions: [], durationMs: 1 }),
              ).toBe(true);
              open.delete(id);
            }
            const ended = await Promise.all(
              claims.flatMap((claim, n) => {
                if (claim.kind !== 'leased') return [];
                const {
                  envelope: { id },
                  fencingToken,
                } = claim.message;
                const by = workers[(n + 1) % 3] ?? own;
                const isDead = random() < 0.2;
                const end = isDead
                  ? by.end({
                      id,
                      fencingToken,
                      state: 'dead_lettered',
                      code: 'X',
                      detail: '{}',
                      outcomeLine: '{}',
                    })
                  : by.finish({ id, fencingToken, result: undefined, emissions: [], durationMs: 1 });
                return [end.then((isOurs) => (isOurs ? id : undefined))];
              }),
            );
            for (const id of ended) {
              const one = open.get(joinOf.get(id ?? '') ?? '');
              if (id === undefined || one === undefined) continue;
              one.left -= 1;
              joinOf.delete(id);
            }
          }
          for (;;) {
            const due = await ledger.claim({ stage: 'third', leaseMs });
            if (due.kind !== 'leased') break;
            const {
              envelope: { id },
              fencingToken,
            } = due.message;
            expect(open.delete(id)).toBe(true);
            await ledger.finish({ id, fencingToken, result: undefined, emissions: [], durationMs: 1 });
          }
          expect([...open.keys()]).toEqual([]);
        }
      },
    );

    it('are found by the walk when something was missed, and no others', async () => {
      const [missed, open, abandoned] = [await joined(2), await joined(2), await joined(1)];
      await database.execute('alter table millrace.messages disable trigger messages_settle_joins');
      try {
        for (const child of missed.children) await finished(child);
        await finished(open.children[0] ?? '');
        await cancelled(abandoned.join);
        await finished(abandoned.children[0] ?? '');
      } finally {
        await database.execute('alter table millrace.messages enable trigger messages_settle_joins');
      }
      expect(await joins.recheck(2)).toEqual({ stages: ['third'], isAtEnd: false });
      expect([await waits(missed), await waits(open)]).toEqual([false, true]);
      await joins.recheck(2);
      await joins.recheck(2);
      expect(await joins.find(missed.join)).toMatchObject({ ended: 2, releasedBy: 'all' });
      expect(await joins.find(open.join)).toMatchObject({ ended: 1, releasedBy: undefined });
      expect(await joins.find(abandoned.join)).toMatchObject({ releasedBy: 'cancelled' });
    });
  });
}
