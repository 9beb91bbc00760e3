import { drawInteger, drawOne, type Random } from './draws.ts';

/*
 * Plausible sentences about a text, built of its own most frequent words. Nothing is understood; but an answer differs
 * from one text to the next, and is the same for the same text and draws.
 */

const maxReadCharacters = 6000;
const maxWords = 48;

const sentences: readonly ((word: () => string) => string)[] = [
  (word) => `The text is about ${word()} and how it bears on ${word()}.`,
  (word) => `It sets out what ${word()} means for ${word()}, with ${word()} as the main example.`,
  (word) => `Readers who work with ${word()} will find ${word()} explained in some detail.`,
  (word) => `Most of the space goes to ${word()}; ${word()} and ${word()} are touched on briefly.`,
  (word) => `A condition is named: ${word()} holds only where ${word()} is given.`,
  (word) => `It closes with notes on ${word()} and leaves ${word()} open.`,
  (word) => `Several points on ${word()} depend on ${word()}, which the author takes as known.`,
];

const fallbackWords = ['content', 'context', 'request', 'subject', 'detail', 'purpose'];

const stopWords = new Set(
  'about above after again also another because been before being below between both cannot could does each either from have having here into itself just like more most must only other over same shall should some such than that their them then there these they this those through under until upon very were what when where which while will with within without would your'.split(
    ' ',
  ),
);

/** The words of a text worth repeating, the most frequent first; never none. */
export function vocabularyOf(text: string): readonly string[] {
  const counts = new Map<string, number>();
  for (const word of text.slice(0, maxReadCharacters).match(/\p{L}{4,24}/gu) ?? []) {
    const lower = word.toLowerCase();
    if (!stopWords.has(lower)) counts.set(lower, (counts.get(lower) ?? 0) + 1);
  }
  const words = [...counts].toSorted(([, left], [, right]) => right - left).slice(0, maxWords);
  return words.length < 3 ? [...words.map(([word]) => word), ...fallbackWords] : words.map(([word]) => word);
}

/** Sentences of at least that many characters in all. */
export function prose(vocabulary: readonly string[], random: Random, minCharacters: number): string {
  const word = (): string => drawOne(random, vocabulary) ?? 'content';
  let text = '';
  let last = -1;
  while (text.length < minCharacters) {
    let index = drawInteger(random, 0, sentences.length - 1);
    if (index === last) index = (index + 1) % sentences.length;
    last = index;
    text += `${text === '' ? '' : ' '}${sentences[index]?.(word) ?? ''}`;
  }
  return text;
}

/** A few words, as a title or a label. */
export function phrase(vocabulary: readonly string[], random: Random, words: number): string {
  return Array.from({ length: words }, () => drawOne(random, vocabulary) ?? 'content').join(' ');
}
