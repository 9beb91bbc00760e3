import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import type { Origin } from '../../src/millrace.ts';

/*
 * Who caused the work on a document, by its path alone, so that every run comes to the same answer: a folder belongs
 * to one customer, a customer to one team, and the kind of document says which feature asked for it.
 */

export const teams = [
  'assistant',
  'billing',
  'checkout',
  'compliance',
  'data-platform',
  'growth',
  'help-centre',
  'logistics',
  'marketplace',
  'onboarding',
  'search',
  'security',
] as const;

const customersPerTeam = 25;

/** The origin of a document's work in a run. */
export function originOf(documentId: string, batch: string): Origin {
  const number = numberOf(dirname(documentId));
  const customer = number % (teams.length * customersPerTeam);
  const team = teams[customer % teams.length] ?? teams[0];
  return {
    team,
    customer: `customer-${String(customer + 1).padStart(3, '0')}`,
    feature: featureOf(documentId),
    batch,
  };
}

function featureOf(documentId: string): string {
  const name = documentId.slice(documentId.lastIndexOf('/') + 1).toLowerCase();
  if (/^licen[cs]e/.test(name)) return 'licence-audit';
  if (name.startsWith('readme')) return numberOf(documentId) % 2 === 0 ? 'semantic-search' : 'answer-drafts';
  return 'knowledge-base';
}

/** A number that follows from a text and is spread evenly. */
function numberOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}
