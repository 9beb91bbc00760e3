import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listSettings } from '../../src/host/load-configuration.ts';
import { errorCodes } from '../../src/host/error-codes.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { repositoryFiles } from './repository-files.ts';

/* Whoever follows a link or a path in the documents, or a document named in a message, arrives. */

interface Document {
  readonly path: string;
  /** The text without fenced code, whose brackets are no links. */
  readonly prose: string;
  readonly anchors: ReadonlySet<string>;
}

const files = repositoryFiles();
const root = join(import.meta.dirname, '..', '..');
const paths = new Set(files.map(({ path }) => path));
const folders = new Set(files.flatMap(({ path }) => foldersOf(path)));
const documents = new Map(
  files
    .filter(({ path }) => path.endsWith('.md'))
    .map(({ path, text }) => [path, documentOf(path, text)] as const),
);
// A line of src/kernel/error-codes.ts, a comment, a setting's help: whatever sends a reader to a document.
const namedDocument = /\bdocs\/[a-z0-9/-]+\.md\b/g;
const namedFile =
  /^(?:src|test|docs|examples|bench|scripts|postgres|clickhouse|dashboards)\/[\w./-]+\.[a-z]+$/;
const namedFolder = /^(?:src|test|docs|examples|bench|scripts|postgres|clickhouse|dashboards)\/[\w./-]*\/$/;

function foldersOf(path: string): string[] {
  const folder = dirname(path);
  return folder === '.' ? [] : [folder, ...foldersOf(folder)];
}

function documentOf(path: string, text: string): Document {
  const prose = text.replaceAll(/^```.*?^```$/gms, '');
  const seen = new Map<string, number>();
  const anchors = [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => {
    const slug = slugOf(heading);
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
  return { path, prose, anchors: new Set(anchors) };
}

/** A heading's anchor as code hosts make it. */
function slugOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');
}

function linksOf({ prose }: Document): string[] {
  const text = prose.replaceAll(/`[^`\n]*`/g, '');
  return [...text.matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

function problemOf(from: string, target: string): string | undefined {
  if (/^(?:https?|mailto):/.test(target)) return undefined;
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? from : posix.join(posix.dirname(from), file).replace(/\/$/, '');
  const isThere =
    paths.has(path) || folders.has(path) || (path.endsWith('.png') && existsSync(join(root, path)));
  if (!isThere) return `${from}: ${target} does not exist`;
  if (anchor === undefined) return undefined;
  return documents.get(path)?.anchors.has(anchor) === true
    ? undefined
    : `${from}: ${target} has no such heading`;
}

describe('the documents', () => {
  it('are found, with links in them', () => {
    expect([...documents.keys()]).toEqual(expect.arrayContaining(['README.md', 'docs/prices.md']));
    const readme = documents.get('README.md');
    expect(readme === undefined ? [] : linksOf(readme)).toContain('ARCHITECTURE.md');
  });

  it('link to files and headings that exist', () => {
    const broken = [...documents.values()].flatMap((document) =>
      linksOf(document).flatMap((target) => problemOf(document.path, target) ?? []),
    );
    expect(broken).toEqual([]);
  });

  it('link to boards and rules that are in the package beside them', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
    const targets = [...documents.values()]
      .filter(({ path }) => path.startsWith('docs/'))
      .flatMap((document) =>
        linksOf(document).map((target) => posix.join(posix.dirname(document.path), target)),
      )
      .filter((path) => path.startsWith('dashboards/'));
    expect(targets).toContain('dashboards/generated');
    const isPacked = (path: string): boolean =>
      manifest.files.some((entry) => path === entry || path.startsWith(`${entry}/`));
    expect(targets.filter((path) => !isPacked(path))).toEqual([]);
  });

  it('name files and folders that exist', () => {
    const absent = [...documents.values()].flatMap(({ path, prose }) =>
      [...prose.matchAll(/`([^`\n]+)`/g)].flatMap(([, name = '']) => {
        if (namedFile.test(name) && !paths.has(name)) return [`${path}: ${name}`];
        if (namedFolder.test(name) && !folders.has(name.slice(0, -1))) return [`${path}: ${name}`];
        return [];
      }),
    );
    expect(absent).toEqual([]);
  });

  it('exist where the code names one', () => {
    const absent = files
      .filter(({ path }) => /^(?:src|scripts|examples|bench)\//.test(path))
      .flatMap(({ path, text }) => [...text.matchAll(namedDocument)].map(([name]) => [path, name] as const))
      .filter(([, name]) => !paths.has(name));
    expect(absent).toEqual([]);
  });

  it('name metrics, error codes and environment variables that exist', () => {
    const known = new Set([
      ...Object.keys(metricCatalogue).map((name) => `millrace_${name}`),
      ...Object.keys(errorCodes),
      ...listSettings().map(({ env }) => env),
      'MILLRACE_CONFIG',
      // Of the examples of clients alone.
      'MILLRACE_URL',
      'MILLRACE_KEY',
      // What stands in a raw usage block in the place of what is not there.
      'millrace_missing',
      'millrace_refused',
    ]);
    const absent = [...documents.values()].flatMap(({ path, prose }) =>
      [...prose.matchAll(/`(millrace_[a-z_]+|MILLRACE_[A-Z_0-9]+)[`{]/g)]
        .filter(([, name = '']) => !known.has(name))
        .map(([, name]) => `${path}: ${name}`),
    );
    expect(absent).toEqual([]);
  });

  it('lead from a module that is loaded by its built name to its source', () => {
    const named = files
      .filter(({ path }) => /^(?:test|bench)\/.*\.ts$/.test(path))
      .flatMap(({ path, text }) =>
        [...text.matchAll(/\bbuilt<[^>]+>\('([\w./-]+)\.js'\)/g)].map(([, name = '']) => [path, name]),
      );
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter(([, name]) => !paths.has(`src/${name}.ts`))).toEqual([]);
  });

  it('would be told of a broken link', () => {
    expect(problemOf('docs/prices.md', 'nowhere.md')).toBe('docs/prices.md: nowhere.md does not exist');
    expect(problemOf('README.md', 'ARCHITECTURE.md#nowhere')).toMatch(/has no such heading$/);
    expect(slugOf('What is `unpriced`, and why?')).toBe('what-is-unpriced-and-why');
  });
});
