import { describe, expect, it } from 'vitest';
import { renderTable } from './text-table.ts';
import { shownText } from './shown-text.ts';

const orders = '\u001b]0;PWNED\u0007\u001b[31mRED\u001b[2J';

describe('a text that is shown', () => {
  it('has its control characters escaped', () => {
    expect(shownText(orders)).toBe(String.raw`\x1b]0;PWNED\x07\x1b[31mRED\x1b[2J`);
    expect(shownText('\u009b2J\u007f\u0000 a\rb')).toBe(String.raw`\u009b2J\u007f\x00 a\x0db`);
  });

  it('has the marks escaped that turn it', () => {
    expect(shownText('a\u202eb\u2066c')).toBe(String.raw`a\u202eb\u2066c`);
  });

  it('keeps newlines, tabs and all letters', () => {
    const text = 'a\tb\nc\r\nd ─ é א 🚀 \\x1b';
    expect(shownText(text)).toBe(text);
  });

  it('that is JSON stays JSON, and means the same', () => {
    const value = { [`key${orders}`]: `${orders}\u009b2J\u0085\u007f\u202e"\\ \r\n\t` };
    for (const json of [JSON.stringify(value), JSON.stringify(value, undefined, 2)]) {
      expect(JSON.parse(shownText(json))).toEqual(value);
      expect(shownText(json)).not.toMatch(/[^\P{Cc}\n]/u);
    }
  });

  it('in a table keeps the columns in line', () => {
    const table = renderTable(
      [{ title: 'why' }, { title: 'n' }],
      [
        [`a${orders}`, '1'],
        ['b', '2'],
      ],
    );
    const [, , first = '', second = ''] = table.split('\n');
    expect(first.endsWith('1') && second.endsWith('2')).toBe(true);
    expect(first).toHaveLength(second.length);
    expect(table).toBe(shownText(table));
  });
});
