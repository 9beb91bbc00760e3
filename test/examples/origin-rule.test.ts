import { describe, expect, it } from 'vitest';
import { originOf, teams } from '../../examples/documents/origin-rule.ts';
import { parseOrigin } from '../../src/messages/origin.ts';

const ids = Array.from({ length: 3000 }, (_, index) => [
  `package-${index}/README.md`,
  `package-${index}/LICENSE`,
]).flat();

describe('the origin rule', () => {
  it('comes to the same answer for the same path', () => {
    for (const id of ids.slice(0, 50)) expect(originOf(id, 'a run')).toEqual(originOf(id, 'a run'));
  });

  it('gives valid origins of twelve teams, some hundreds of customers and several features, in one batch', () => {
    const origins = ids.map((id) => originOf(id, 'a run'));
    for (const origin of origins) expect(parseOrigin(origin)).toEqual(origin);
    expect(new Set(origins.map(({ team }) => team))).toEqual(new Set(teams));
    expect(teams).toHaveLength(12);
    expect(new Set(origins.map(({ customer }) => customer)).size).toBe(300);
    expect(new Set(origins.map(({ feature }) => feature)).size).toBeGreaterThanOrEqual(3);
    expect(new Set(origins.map(({ batch }) => batch))).toEqual(new Set(['a run']));
  });

  it('keeps a customer in one team, and a folder with one customer', () => {
    const teamOf = new Map<string, string>();
    for (const id of ids) {
      const { team, customer } = originOf(id, 'a run');
      expect(teamOf.get(customer) ?? team).toBe(team);
      teamOf.set(customer, team);
    }
    expect(originOf('a/b/LICENSE', 'x').customer).toBe(originOf('a/b/README.md', 'x').customer);
  });

  it('tells features by the kind of document', () => {
    expect(originOf('zod/LICENCE', 'x').feature).toBe('licence-audit');
    expect(originOf('zod/license.md', 'x').feature).toBe('licence-audit');
    expect(originOf('notes/plan.txt', 'x').feature).toBe('knowledge-base');
  });
});
