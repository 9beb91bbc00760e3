import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId } from '../../src/kernel/ids.ts';
import type { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import { mayBecome, type MessageState } from '../../src/engine/ledger/message-state.ts';
import { claimOf, leaseMs, LedgerHarness, someAdmission, someLedger } from '../support/ledger-fixture.ts';

/** What the ledger promises about messages, on whichever database. The database is migrated; every test begins empty. */
export function ledgerMessagesContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`messages in the ledger on ${name}`, () => {
    let harness: LedgerHarness;
    let database: SqlDatabase;
    let ledger: MessageLedger;

    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
      ({ database, ledger } = harness);
    });

    it('gives a leased message back as it was admitted, whatever its text', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.string({ unit: 'binary' }),
          fc.dictionary(fc.constantFrom('a', 'b'), fc.string()),
          async (text, labels) => {
            const json = JSON.stringify({ text: text.toWellFormed() });
            const admission = someAdmission(
              {
                origin: {
                  team: 'blue "team"',
                  customer: "acme's \\ {co},",
                  feature: 'café ☕',
                  batch: 'night',
                  ...(Object.keys(labels).length === 0 ? {} : { labels: clean(labels) }),
                },
              },
              json,
            );
            await ledger.admit(admission);
            const message = await harness.leased(admission.envelope.id);
            expect(message.body).toEqual({ kind: 'inline', json });
            expect(message.envelope).toMatchObject(admission.envelope);
          },
        ),
        { numRuns: 25 },
      );
    });

    it('takes the same message once, however often and however concurrently it is admitted', async () => {
      const admission = someAdmission();
      const outcomes = await Promise.all(Array.from({ length: 10 }, () => ledger.admit(admission)));
      expect(outcomes.filter((outcome) => outcome === 'admitted')).toHaveLength(1);
      expect(await ledger.admit(admission)).toBe('duplicate');
    });

    it('takes messages that are admitted together or none of them, and says which were there', async () => {
      const [first, second, third] = [someAdmission(), someAdmission(), someAdmission()];
      const odd = { ...second, envelope: { ...second.envelope, item: 'zero \u0000 byte' } };
      await expect(ledger.admitAndLease([first, odd])).rejects.toMatchObject({
        code: 'MILLRACE_DATA_REFUSED',
      });
      expect(await ledger.hasAll([first.envelope.id])).toBe(false);
      expect((await ledger.admitAndLease([first, second])).outcomes).toEqual(['admitted', 'admitted']);
      expect((await ledger.admitAndLease([second, third])).outcomes).toEqual(['duplicate', 'admitted']);
      expect(await ledger.hasAll([first, second, third].map(({ envelope }) => envelope.id))).toBe(true);
    });

    it('leases a message to one of many who ask at once', async () => {
      const id = await harness.admitted();
      const other = someLedger(database, 'worker-2');
      const outcomes = await Promise.all([
        ...Array.from({ length: 5 }, () => ledger.claim({ stage: 'first', leaseMs, about: id })),
        ...Array.from({ length: 5 }, () => other.claim({ stage: 'first', leaseMs, about: id })),
      ]);
      expect(outcomes.filter((outcome) => outcome.kind === 'leased')).toHaveLength(1);
      expect(await claimOf(database, ledger, id, leaseMs)).toEqual({ kind: 'leased_by_another' });
      expect(await claimOf(database, ledger, newId(new Date()), leaseMs)).toEqual({ kind: 'unknown' });
    });

    it('lets only the holder of the current fencing token finish, with result, emissions and outcome or nothing', async () => {
      const id = await harness.admitted();
      const first = await harness.leased(id);
      await harness.expireLeases();
      const second = await harness.leased(id, someLedger(database, 'worker-2'));
      expect(second.fencingToken).toBe(first.fencingToken + 1);
      const [early, late] = [newId(new Date()), newId(new Date())];
      const finish = (fencingToken: number, emitted: string) =>
        ledger.finish({
          id,
          fencingToken,
          result: `"${emitted}"`,
          emissions: [harness.emission(emitted)],
          durationMs: 1,
        });
      expect(await finish(first.fencingToken, early)).toBe(false);
      expect(await harness.outbox('message_outcomes')).toEqual([]);
      expect(await finish(second.fencingToken, late)).toBe(true);
      expect(await finish(second.fencingToken, late)).toBe(false);
      expect(await harness.stateOf(early)).toBeUndefined();
      expect(await harness.stateOf(late)).toMatchObject({ state: 'pending' });
      expect(await harness.stateOf(id)).toMatchObject({ state: 'completed', result: `"${late}"` });
      const outcomes = await harness.outbox('message_outcomes');
      expect(outcomes.map((line) => JSON.parse(line) as unknown)).toEqual([
        expect.objectContaining({ message_id: id, outcome: 'completed', deliveries: 2 }),
      ]);
      expect(await claimOf(database, ledger, id, leaseMs)).toEqual({ kind: 'ended' });
    });

    describe('when one that let its lease expire and its successor tell of the same message at once', () => {
      /** The message under its second fencing token; both runs are in this process, so what they say is written together. */
      const twice = async () => {
        const id = await harness.admitted();
        const lost = await harness.leased(id);
        await harness.expireLeases();
        const held = await harness.leased(id);
        return { id, fencingTokens: [lost.fencingToken, held.fencingToken] };
      };
      const failures = async () => {
        const { rows } = await database.query<{ fencing_token: number; code: string }>({
          name: 'test.own_failures',
          text: `select fencing_token, code from millrace.failures where code <> 'MILLRACE_LEASE_EXPIRED' order by fencing_token`,
        });
        return rows;
      };

      it.each(['before', 'after'])(
        'ends it by the successor alone, with its emissions: the other %s it',
        async (when) => {
          const { id, fencingTokens } = await twice();
          const emitted = newId(new Date());
          const order = when === 'before' ? fencingTokens : fencingTokens.toReversed();
          const ours = await Promise.all(
            order.map((fencingToken) =>
              ledger.finish({
                id,
                fencingToken,
                result: String(fencingToken),
                // Its id follows from parent and place: both runs give it the same one.
                emissions: [
                  { ...harness.emission(emitted), body: { kind: 'inline', json: String(fencingToken) } },
                  ...(fencingToken === 1 ? [harness.emission(newId(new Date()))] : []),
                ],
                durationMs: fencingToken,
              }),
            ),
          );
          expect(ours).toEqual(order.map((fencingToken) => fencingToken === 2));
          const [outcome = '{}', ...others] = await harness.outbox('message_outcomes');
          expect(JSON.parse(outcome)).toMatchObject({ message_id: id, duration_ms: 2 });
          expect(others).toEqual([]);
          expect(await harness.stateOf(id)).toMatchObject({ state: 'completed', result: '2' });
          const { rows } = await database.query<{ body: string }>(
            { name: 'test.children', text: 'select body from millrace.messages where parent_id = $1' },
            [id],
          );
          expect(rows).toEqual([{ body: '2' }]);
        },
      );

      it('gives it up for the reason of the successor', async () => {
        const { id, fencingTokens } = await twice();
        const ours = await Promise.all(
          fencingTokens.map((fencingToken) =>
            ledger.end({
              id,
              fencingToken,
              state: 'dead_lettered',
              code: `CODE_${fencingToken}`,
              detail: '{}',
              isInvalidOutput: false,
              outcomeLine: `{"fencing_token":${fencingToken}}`,
            }),
          ),
        );
        expect(ours).toEqual([false, true]);
        expect(await harness.outbox('message_outcomes')).toEqual(['{"fencing_token":2}']);
        expect(await failures()).toEqual([{ fencing_token: 2, code: 'CODE_2' }]);
      });

      it('returns it after the failure of the successor', async () => {
        const { id, fencingTokens } = await twice();
        const ours = await Promise.all(
          fencingTokens.map((fencingToken) =>
            ledger.retry({ id, fencingToken, delayMs: 0, code: `CODE_${fencingToken}`, detail: '{}' }),
          ),
        );
        expect(ours).toEqual([false, true]);
        expect(await failures()).toEqual([{ fencing_token: 2, code: 'CODE_2' }]);
      });

      it('puts it aside for what the successor waits for', async () => {
        const { id, fencingTokens } = await twice();
        const ours = await Promise.all(
          fencingTokens.map((fencingToken) =>
            ledger.park({ id, fencingToken, delayMs: undefined, parkedFor: `pause:${fencingToken}` }),
          ),
        );
        expect(ours).toEqual([false, true]);
      });
    });

    it('hands root, item and origin down to what is emitted, and completes an output at once', async () => {
      const admission = someAdmission({
        item: 'readme.md',
        origin: { team: 't', customer: 'c', feature: 'f', batch: 'b' },
      });
      await ledger.admit(admission);
      const { id } = admission.envelope;
      const message = await harness.leased(id);
      const [next, output] = [newId(new Date()), newId(new Date())];
      await ledger.finish({
        id,
        fencingToken: message.fencingToken,
        result: undefined,
        emissions: [harness.emission(next), harness.emission(output, '')],
        durationMs: 1,
      });
      const child = await harness.leased(next);
      expect(child.envelope).toMatchObject({
        rootId: id,
        parentId: id,
        item: 'readme.md',
        origin: admission.envelope.origin,
      });
      expect(child.envelope.admittedAt).toEqual(message.envelope.admittedAt);
      expect(await harness.stateOf(output)).toMatchObject({ state: 'completed' });
    });

    it('makes a retried message due again after its delay, with the attempt counted and noted', async () => {
      const id = await harness.admitted();
      const { fencingToken } = await harness.leased(id);
      expect(await ledger.retry({ id, fencingToken, delayMs: 60_000, code: 'X', detail: '{}' })).toBe(true);
      expect(await ledger.retry({ id, fencingToken, delayMs: 0, code: 'X', detail: '{}' })).toBe(false);
      const outcome = await claimOf(database, ledger, id, leaseMs);
      expect(outcome.kind).toBe('not_due');
      if (outcome.kind === 'not_due') expect(outcome.delayMs).toBeGreaterThan(50_000);
      expect(await harness.stateOf(id)).toMatchObject({ state: 'pending', attempts: 1 });
    });

    it('hands a message back without counting an attempt', async () => {
      const id = await harness.admitted();
      const { fencingToken } = await harness.leased(id);
      await ledger.release([{ id, fencingToken, leaseMs }]);
      const again = await harness.leased(id);
      expect(again).toMatchObject({ fencingToken: fencingToken + 1, deliveries: 2, attempts: 0 });
    });

    it('renews leases that are ours and names those that are not', async () => {
      const [kept, lost] = [await harness.admitted(), await harness.admitted()];
      const [first, second] = [await harness.leased(kept), await harness.leased(lost)];
      const renewed = await ledger.renew([
        { id: kept, fencingToken: first.fencingToken, leaseMs },
        { id: lost, fencingToken: second.fencingToken - 1, leaseMs },
      ]);
      expect(renewed).toEqual(new Set([kept]));
    });

    it('only ever goes from state to state as the state machine says, whoever tries what', async () => {
      const operations = ['lease', 'finish', 'retry', 'end', 'release', 'expire'] as const;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.constantFrom(...operations), fc.boolean()), { maxLength: 10 }),
          async (script) => {
            const id = await harness.admitted();
            let state: MessageState = 'pending';
            for (const [operation, showsFencingToken] of script) {
              const before = await harness.stateOf(id);
              const fencingToken = (before?.fencing_token ?? 0) - (showsFencingToken ? 0 : 1);
              if (operation === 'lease') await claimOf(database, ledger, id, leaseMs);
              else if (operation === 'finish')
                await ledger.finish({ id, fencingToken, result: undefined, emissions: [], durationMs: 1 });
              else if (operation === 'retry')
                await ledger.retry({ id, fencingToken, delayMs: 0, code: 'X', detail: '{}' });
              else if (operation === 'end')
                await ledger.end({
                  id,
                  fencingToken,
                  state: 'dead_lettered',
                  code: 'X',
                  detail: '{}',
                  outcomeLine: '{}',
                });
              else if (operation === 'release') await ledger.release([{ id, fencingToken, leaseMs }]);
              else await harness.expireLeases();
              const after = (await harness.stateOf(id))?.state as MessageState;
              expect(after === state || mayBecome(state, after), `${state} to ${after} by ${operation}`).toBe(
                true,
              );
              if (!showsFencingToken && !['lease', 'expire'].includes(operation)) expect(after).toBe(state);
              state = after;
            }
          },
        ),
        { numRuns: 25 },
      );
    });

    it('raises the fencing token with every lease and never lowers it', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom('retry', 'release', 'expire'), { maxLength: 6 }),
          async (ends) => {
            const id = await harness.admitted();
            let last = 0;
            for (const end of ends) {
              const { fencingToken } = await harness.leased(id);
              expect(fencingToken).toBe(last + 1);
              last = fencingToken;
              if (end === 'retry')
                await ledger.retry({ id, fencingToken, delayMs: 0, code: 'X', detail: '{}' });
              else if (end === 'release') await ledger.release([{ id, fencingToken, leaseMs }]);
              else await harness.expireLeases();
              // After several expired leases there is a pause.
              await database.execute('update millrace.messages set available_at = clock_timestamp()');
            }
            expect((await harness.stateOf(id))?.fencing_token).toBe(last);
          },
        ),
        { numRuns: 15 },
      );
    });
  });
}

function clean(labels: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [key, value.toWellFormed().replaceAll('\u0000', '')]),
  );
}
