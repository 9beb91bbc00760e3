import type { TroubledModel } from './model-health-store.ts';

/** One line for each circuit that is not closed; nothing when all are. */
export function circuitsText(troubled: readonly TroubledModel[]): string {
  return troubled
    .map(({ provider, model, state, opens, reason, remainingMs }) => {
      const times = opens > 1 ? `, for the ${ordinal(opens)} time in a row` : '';
      const until = state === 'open' ? `tried again in ${(remainingMs / 1000).toFixed(0)} s` : 'being tried';
      return `Circuit of ${provider}/${model}: ${state === 'open' ? 'open' : 'half open'} (${reason}${times}), ${until}`;
    })
    .join('\n');
}

function ordinal(n: number): string {
  const ends = n % 100 >= 11 && n % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');
  return `${n}${ends}`;
}
