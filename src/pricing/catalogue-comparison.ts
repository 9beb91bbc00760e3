import { formatUsd, type Usd, usd, zeroUsd } from '../kernel/money.ts';
import type { Catalogue } from './catalogue.ts';
import { type RatedKind, ratedKinds } from './token-classes.ts';

/* What another catalogue would change, model by model, of the prices in force at one time. */

/** A model under its provider. */
export interface ListedName {
  readonly provider: string;
  readonly model: string;
}

/** A rate that is another one; a side without it is absent. */
export interface ChangedRate extends ListedName {
  readonly kind: RatedKind;
  /** The band: for calls with more input than this. */
  readonly aboveInputTokens?: number;
  readonly beforeUsd?: string;
  readonly afterUsd?: string;
  /** By how many percent, to two digits; absent where one side is nothing or missing. */
  readonly percent?: string;
}

/** What would change. */
export interface CatalogueComparison {
  readonly added: readonly ListedName[];
  readonly removed: readonly ListedName[];
  readonly changed: readonly ChangedRate[];
  /** Why it should not be taken unseen. */
  readonly absurd: readonly string[];
}

/** A catalogue that can tell what it lists. */
export interface ListingCatalogue extends Pick<Catalogue, 'find'> {
  readonly listed: readonly ListedName[];
}

/** A price that is multiplied or divided by more than this is taken for a mistake. */
const mostPlausibleFactor = 5;
/** So is a catalogue that loses more than this share of the models, in percent. */
const mostLostPercent = 10;

/** Compares the prices in force at the time. */
export function compareCatalogues(
  before: ListingCatalogue,
  after: ListingCatalogue,
  at: Date,
): CatalogueComparison {
  const [old, present] = [pricesOf(before, at), pricesOf(after, at)];
  const added = [...present.values()].filter(({ key }) => !old.has(key)).map(({ listed }) => listed);
  const removed = [...old.values()].filter(({ key }) => !present.has(key)).map(({ listed }) => listed);
  const changed = [...old.values()].flatMap(({ key, listed, rates }) => {
    const now = present.get(key);
    return now === undefined ? [] : changesOf(listed, rates, now.rates);
  });
  return { added, removed, changed, absurd: absurdities(changed, removed.length, old.size) };
}

interface ListedPrice {
  readonly key: string;
  readonly listed: ListedName;
  /** By kind and band. */
  readonly rates: ReadonlyMap<
    string,
    { readonly kind: RatedKind; readonly above?: number; readonly rate: Usd }
  >;
}

function pricesOf(catalogue: ListingCatalogue, at: Date): ReadonlyMap<string, ListedPrice> {
  const prices = new Map<string, ListedPrice>();
  for (const listed of catalogue.listed) {
    const { provider, model } = listed;
    const { offer } = catalogue.find({
      provider,
      follows: provider,
      model: model.toLowerCase(),
      at,
      tier: 'default',
      batch: false,
      geography: 'global',
    });
    const rates = new Map<string, { kind: RatedKind; above?: number; rate: Usd }>();
    for (const kind of ratedKinds) {
      const rate = offer?.rates[kind];
      if (rate === undefined) continue;
      rates.set(kind, { kind, rate: rate.usdPerMillion });
      for (const { aboveInputTokens: above, usdPerMillion } of rate.tiers)
        rates.set(`${kind} ${above}`, { kind, above, rate: usdPerMillion });
    }
    const key = `${provider}/${model}`;
    prices.set(key, { key, listed, rates });
  }
  return new Map([...prices].toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

function changesOf(
  listed: ListedName,
  before: ListedPrice['rates'],
  after: ListedPrice['rates'],
): readonly ChangedRate[] {
  return [...new Set([...before.keys(), ...after.keys()])].toSorted().flatMap((key) => {
    const [was, is] = [before.get(key), after.get(key)];
    const some = is ?? was;
    if (some === undefined || (was !== undefined && is !== undefined && was.rate.equals(is.rate))) return [];
    return [
      {
        ...listed,
        kind: some.kind,
        ...(some.above === undefined ? {} : { aboveInputTokens: some.above }),
        ...(was === undefined ? {} : { beforeUsd: formatUsd(was.rate) }),
        ...(is === undefined ? {} : { afterUsd: formatUsd(is.rate) }),
        ...(was === undefined || is === undefined || was.rate.isZero()
          ? {}
          : { percent: is.rate.minus(was.rate).times(100).div(was.rate).toDecimalPlaces(2).toFixed() }),
      },
    ];
  });
}

function absurdities(changed: readonly ChangedRate[], removed: number, all: number): readonly string[] {
  const rates = changed.flatMap(({ provider, model, kind, beforeUsd, afterUsd }) => {
    if (beforeUsd === undefined || afterUsd === undefined) return [];
    const [was, is] = [usd(beforeUsd), usd(afterUsd)];
    const isPlausible =
      was.equals(zeroUsd) === is.equals(zeroUsd) &&
      !is.greaterThan(was.times(mostPlausibleFactor)) &&
      !was.greaterThan(is.times(mostPlausibleFactor));
    return isPlausible ? [] : [`${provider}/${model}: ${kind} from ${beforeUsd} to ${afterUsd}`];
  });
  const isLoss = removed * 100 > all * mostLostPercent;
  return [...rates, ...(isLoss ? [`${removed} of ${all} models would have no price any more`] : [])];
}
