import { describe, expect, it } from 'vitest';
import { repositoryFiles } from './repository-files.ts';

const files = repositoryFiles();
const code = files.filter(({ path }) => /\.(?:ts|mjs)$/.test(path));
const source = code.filter(({ path }) => path.startsWith('src/') && !path.endsWith('.test.ts'));

const lineCount = (text: string): number => text.split('\n').length - 1;

describe('the repository', () => {
  it('is found at all', () => {
    expect(files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['package.json', 'LICENSE', 'src/kernel/money.ts', '.oxlintrc.json']),
    );
  });

  it('has no code file of more than 400 lines', () => {
    const long = code
      .filter(({ text }) => lineCount(text) > 400)
      .map(({ path, text }) => [path, lineCount(text)]);
    expect(long).toEqual([]);
  });

  it('has no folder for things without a home', () => {
    const homeless = /(?:^|\/)(?:utils?|helpers?|common|shared|types|misc|lib)\//;
    expect(files.map(({ path }) => path).filter((path) => homeless.test(path))).toEqual([]);
  });

  it('has no barrels', () => {
    expect(code.map(({ path }) => path).filter((path) => /(?:^|\/)index\.[a-z]+$/.test(path))).toEqual([]);
  });

  it('names code files in kebab case', () => {
    const odd = code
      .map(({ path }) => path.split('/').at(-1) ?? '')
      .filter((name) => !/^\.?[a-z0-9]+(?:[-.][a-z0-9]+)*$/.test(name));
    expect(odd).toEqual([]);
  });

  it('gives each SQL statement a name of its own, by which databases prepare it', () => {
    const names = source.flatMap(({ text }) =>
      [...text.matchAll(/(?:named\(\s*|name: )'([a-z]+\.[a-z_]+)'/g)].map((match) => match[1]),
    );
    expect(names.length).toBeGreaterThan(80);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it('reads the environment at its edges only', () => {
    const reads = new RegExp(['process', 'env'].join(String.raw`(?:\.|\?\.|\[['"])`));
    const edge = /^(?:src\/host|bench|test\/support|test\/image|test\/chaos|scripts)\//;
    expect(
      code.filter(({ path, text }) => !edge.test(path) && reads.test(text)).map(({ path }) => path),
    ).toEqual([]);
  });

  it('explains every source file of some size that exports something', () => {
    const unexplained = source.filter(
      ({ text }) => lineCount(text) > 40 && /^export /m.test(text) && !/^\s*\/\*/m.test(text),
    );
    expect(unexplained.map(({ path }) => path)).toEqual([]);
  });

  it('names no place of one machine', () => {
    const place = new RegExp(`(?:^|[\\s"'\`(=:])/(?:${['work', 'root'].join('|')})/`, 'm');
    expect(files.filter(({ text }) => place.test(text)).map(({ path }) => path)).toEqual([]);
  });

  it('leaves no lint rule or type error silenced without a reason', () => {
    const silent = /(?:oxlint|eslint)-disable(?!.* -- )|@ts-(?:ignore|nocheck)|@ts-expect-error(?! -- )/;
    const selfPath = 'test/repository/files.test.ts';
    const found = code.filter(({ path, text }) => path !== selfPath && silent.test(text));
    expect(found.map(({ path }) => path)).toEqual([]);
  });
});
