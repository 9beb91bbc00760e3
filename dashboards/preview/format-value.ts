/* Numbers as Grafana writes them, for the units that the boards use. */

const none = '–';
const suffixMark = 'suffix:';

/** A value with its unit. */
export function formatValue(value: number | null, unit: string | undefined, decimals?: number): string {
  if (value === null || !Number.isFinite(value)) return none;
  if (unit?.startsWith(suffixMark) === true)
    return `${fixed(value, decimals ?? significant(value))}${unit.slice(suffixMark.length)}`;
  switch (unit) {
    case 's':
      return formatSeconds(value, decimals);
    case 'ms':
      return formatSeconds(value / 1000, decimals);
    case 'percentunit':
      return `${fixed(value * 100, decimals ?? significant(value * 100))} %`;
    case 'currencyUSD':
      return formatUsd(value, decimals);
    case 'bytes':
      return scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB'], decimals);
    case 'Bps':
      return scaled(value, 1000, ['B/s', 'kB/s', 'MB/s', 'GB/s'], decimals);
    case 'ops':
      return scaled(value, 1000, ['ops/s', 'Kops/s', 'Mops/s'], decimals);
    case 'reqps':
      return scaled(value, 1000, ['req/s', 'Kreq/s', 'Mreq/s'], decimals);
    case 'mps':
      return scaled(value, 1000, ['msg/s', 'Kmsg/s', 'Mmsg/s'], decimals);
    case 'recps':
      return scaled(value, 1000, ['rec/s', 'Krec/s', 'Mrec/s'], decimals);
    case 'locale':
      return value.toLocaleString('en-US', { maximumFractionDigits: decimals ?? significant(value) });
    case 'none':
      return fixed(value, decimals ?? significant(value));
    default:
      return scaled(value, 1000, ['', 'K', 'Mil', 'Bil'], decimals);
  }
}

function formatUsd(value: number, decimals: number | undefined): string {
  const size = Math.abs(value);
  const sign = value < 0 ? '-' : '';
  if (size >= 1000) return `${sign}$${scaled(size, 1000, ['', 'K', 'M', 'B'], decimals)}`;
  if (decimals !== undefined || size === 0) return `${sign}$${fixed(size, decimals ?? 0)}`;
  if (size >= 1) return `${sign}$${Number.isInteger(size) ? size : size.toFixed(2)}`;
  return `${sign}$${fixed(size, Math.min(6, 2 - Math.floor(Math.log10(size))))}`;
}

function formatSeconds(value: number, decimals: number | undefined): string {
  const size = Math.abs(value);
  if (size === 0) return '0 s';
  if (size < 0.001) return `${fixed(value * 1e6, decimals ?? significant(value * 1e6))} µs`;
  if (size < 1) return `${fixed(value * 1000, decimals ?? significant(value * 1000))} ms`;
  if (size < 60) return `${fixed(value, decimals ?? significant(value))} s`;
  if (size < 3600) return `${fixed(value / 60, decimals ?? significant(value / 60))} min`;
  if (size < 86_400) return `${fixed(value / 3600, decimals ?? significant(value / 3600))} hours`;
  return `${fixed(value / 86_400, decimals ?? significant(value / 86_400))} days`;
}

function scaled(value: number, step: number, names: readonly string[], decimals: number | undefined): string {
  let power = 0;
  let rest = value;
  while (Math.abs(rest) >= step && power < names.length - 1) {
    rest /= step;
    power += 1;
  }
  return `${fixed(rest, decimals ?? significant(rest))} ${names[power] ?? ''}`.trim();
}

/** Digits after the point that leave three that matter. */
function significant(value: number): number {
  const size = Math.abs(value);
  if (size === 0 || size >= 100) return 0;
  if (size >= 10) return 1;
  if (size >= 1) return 2;
  return Math.min(5, 1 - Math.floor(Math.log10(size)) + 1);
}

/** Rounded, without zeros at the end, and without the sign of what is rounded to nothing. */
function fixed(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  return (decimals > 0 ? text.replace(/\.?0+$/, '') : text).replace(/^-0$/, '0');
}
