import type { RatedCounts, RatedKind } from '../../pricing/token-classes.ts';
import {
  asRecord,
  type JsonRecord,
  numberIn,
  type ReportedUsage,
  splitTotal,
  wholeCount,
} from './token-usage.ts';

/*
 * Google's usageMetadata, of the Gemini API and of Vertex. The prompt includes what was read from the cache; what tools
 * brought in, and the thoughts, stand beside prompt and candidates. Counts by modality lie inside their totals, and what
 * they leave out is text.
 */

const inputKinds: Readonly<Record<string, RatedKind>> = {
  AUDIO: 'audio_input',
  IMAGE: 'image_input',
  VIDEO: 'video_input',
};

const cachedKinds: Readonly<Record<string, RatedKind>> = {
  AUDIO: 'cache_read_audio',
  IMAGE: 'cache_read_image',
};

const outputKinds: Readonly<Record<string, RatedKind>> = {
  AUDIO: 'audio_output',
  IMAGE: 'image_output',
  VIDEO: 'video_output',
};

/** The disjoint classes of Google's usage. */
export function geminiUsage(raw: JsonRecord): ReportedUsage {
  const faults: string[] = [];
  const prompt = details(raw, 'promptTokensDetails');
  const tools = details(raw, 'toolUsePromptTokensDetails');
  const candidates = details(raw, 'candidatesTokensDetails');
  const thoughts = numberIn(raw, 'thoughtsTokenCount') ?? 0;
  const promptTotal = numberIn(raw, 'promptTokenCount') ?? sumOf(prompt);
  const toolTotal = numberIn(raw, 'toolUsePromptTokenCount') ?? sumOf(tools) ?? 0;
  const answered = numberIn(raw, 'candidatesTokenCount') ?? sumOf(candidates);
  const outputTotal = answered ?? (thoughts > 0 ? 0 : restOf(raw, promptTotal, toolTotal));
  const output = splitTotal('output', outputTotal, kindsOf(candidates, outputKinds), 'text_output', faults);
  const input = joined(
    promptOf(raw, promptTotal, prompt, faults),
    splitTotal('tool input', toolTotal, kindsOf(tools, inputKinds), 'uncached_input', faults),
  );
  const reasoning = wholeCount('thoughtsTokenCount', thoughts, faults);
  checkTotal(raw, promptTotal, toolTotal, outputTotal, thoughts, faults);
  return { input, output: reasoning === 0 ? output : joined(output, { reasoning }), faults };
}

/** The prompt without what was cached, by modality, and the cached part. */
function promptOf(
  raw: JsonRecord,
  total: number | undefined,
  modalities: Modalities,
  faults: string[],
): RatedCounts | undefined {
  const cachedByModality = details(raw, 'cacheTokensDetails');
  const cachedTotal = numberIn(raw, 'cachedContentTokenCount') ?? sumOf(cachedByModality) ?? 0;
  const cached = splitTotal(
    'cached input',
    cachedTotal,
    kindsOf(cachedByModality, cachedKinds),
    'cache_read',
    faults,
  );
  const fresh: Partial<Record<RatedKind, number>> = {};
  for (const [modality, kind] of Object.entries(inputKinds)) {
    const count = (modalities[modality] ?? 0) - (cachedByModality[modality] ?? 0);
    if (count > 0) fresh[kind] = count;
  }
  return splitTotal('input', total, { ...cached, ...fresh }, 'uncached_input', faults);
}

type Modalities = Readonly<Record<string, number>>;

function details(raw: JsonRecord, name: string): Modalities {
  const list = raw[name];
  const counts: Record<string, number> = {};
  if (!Array.isArray(list)) return counts;
  for (const item of list.map(asRecord)) {
    const modality = item?.['modality'];
    const count = numberIn(item, 'tokenCount') ?? 0;
    if (typeof modality !== 'string') continue;
    const key = modality.toUpperCase();
    counts[key] = (counts[key] ?? 0) + count;
  }
  return counts;
}

function sumOf(modalities: Modalities): number | undefined {
  const counts = Object.values(modalities);
  return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0);
}

function kindsOf(
  modalities: Modalities,
  kinds: Readonly<Record<string, RatedKind>>,
): Partial<Record<RatedKind, number>> {
  const counts: Partial<Record<RatedKind, number>> = {};
  for (const [modality, kind] of Object.entries(kinds)) {
    const count = modalities[modality];
    if (count !== undefined && count !== 0) counts[kind] = count;
  }
  return counts;
}

function joined(left: RatedCounts | undefined, right: RatedCounts | undefined): RatedCounts | undefined {
  if (left === undefined || right === undefined) return left;
  const sum: Partial<Record<RatedKind, number>> = { ...left };
  for (const [kind, count] of Object.entries(right) as [RatedKind, number][]) {
    sum[kind] = (sum[kind] ?? 0) + count;
  }
  return sum;
}

/** An answer without candidates has no count of them: the grand total says whether there is something. */
function restOf(raw: JsonRecord, prompt: number | undefined, tools: number): number | undefined {
  const total = numberIn(raw, 'totalTokenCount');
  if (total === undefined || prompt === undefined) return undefined;
  return Math.max(0, total - prompt - tools);
}

function checkTotal(
  raw: JsonRecord,
  prompt: number | undefined,
  tools: number,
  output: number | undefined,
  thoughts: number,
  faults: string[],
): void {
  const total = numberIn(raw, 'totalTokenCount');
  if (total === undefined || prompt === undefined || output === undefined) return;
  const sum = prompt + tools + output + thoughts;
  if (total !== sum) faults.push(`the total (${total}) is not the sum of its parts (${sum})`);
}
