import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { repositoryFiles } from './repository-files.ts';

/*
 * What a class depends on: the parameters of its constructor and, where one of them is an object made for it (an interface of
 * its own file, or one that says so by its name), the members of that. Settings (text, numbers, flags) are none.
 */

const maxDependencies = 7;

/** Classes that are allowed more, each with its reason. */
const allowed: Readonly<Record<string, string>> = {
  Host: 'it is where everything is put together',
  GaugeReader: 'it reads from every part what is counted now and then',
  StageWorker: 'seven beside the stage that it works on',
};

const optionsName = /(?:Options|Parts|Sources|Services|Surroundings)$/;

const files = repositoryFiles()
  .filter(({ path }) => /^src\/.*\.ts$/.test(path) && !path.endsWith('.test.ts'))
  .map(({ path, text }) => ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));

/** Interfaces by file and name. */
const interfaces = new Map<ts.SourceFile, Map<string, ts.InterfaceDeclaration>>();
const byName = new Map<string, ts.InterfaceDeclaration>();
for (const file of files) {
  const own = new Map<string, ts.InterfaceDeclaration>();
  for (const node of file.statements) {
    if (!ts.isInterfaceDeclaration(node)) continue;
    own.set(node.name.text, node);
    byName.set(node.name.text, node);
  }
  interfaces.set(file, own);
}

const settings = new Set([
  ts.SyntaxKind.StringKeyword,
  ts.SyntaxKind.NumberKeyword,
  ts.SyntaxKind.BooleanKeyword,
  ts.SyntaxKind.UndefinedKeyword,
  ts.SyntaxKind.LiteralType,
]);

function isSetting(type: ts.TypeNode | undefined): boolean {
  if (type === undefined) return false;
  if (ts.isUnionTypeNode(type)) return type.types.every((part) => isSetting(part));
  return settings.has(type.kind);
}

function membersOf(members: ts.NodeArray<ts.TypeElement>): string[] {
  return members.flatMap((member) => {
    if (ts.isMethodSignature(member)) return [(member.name as ts.Identifier).text];
    if (!ts.isPropertySignature(member) || isSetting(member.type)) return [];
    return [(member.name as ts.Identifier).text];
  });
}

/** The names of what an object type holds; undefined for what was not made for the class. */
function heldBy(type: ts.TypeNode, file: ts.SourceFile, isOptions = false): string[] | undefined {
  if (ts.isTypeLiteralNode(type)) return membersOf(type.members);
  if (!ts.isTypeReferenceNode(type) || !ts.isIdentifier(type.typeName)) return undefined;
  const { text } = type.typeName;
  const [of, without] = type.typeArguments ?? [];
  if ((text === 'Readonly' || text === 'Partial' || text === 'Required') && of !== undefined) {
    return heldBy(of, file, isOptions);
  }
  if ((text === 'Omit' || text === 'Pick') && of !== undefined && without !== undefined) {
    const names = [...without.getText(file).matchAll(/'([^']+)'/g)].map((match) => match[1]);
    return heldBy(of, file, isOptions)?.filter((name) => names.includes(name) === (text === 'Pick'));
  }
  const own = interfaces.get(file)?.get(text);
  const found = own ?? (isOptions || optionsName.test(text) ? byName.get(text) : undefined);
  return found === undefined ? undefined : heldByInterface(found);
}

function heldByInterface(found: ts.InterfaceDeclaration): string[] {
  const file = found.getSourceFile();
  const inherited = (found.heritageClauses ?? []).flatMap(({ types }) =>
    types.flatMap(({ expression, typeArguments }) => {
      const reference = ts.factory.createTypeReferenceNode(expression as ts.Identifier, typeArguments);
      return heldBy(reference, file, true) ?? [];
    }),
  );
  return [...new Set([...inherited, ...membersOf(found.members)])];
}

function dependenciesOf(declaration: ts.ClassDeclaration, file: ts.SourceFile): string[] {
  const constructor = declaration.members.find((member) => ts.isConstructorDeclaration(member));
  return (constructor?.parameters ?? []).flatMap(({ type, name }) => {
    if (type === undefined || isSetting(type)) return [];
    return heldBy(type, file) ?? [name.getText(file)];
  });
}

const classes = files.flatMap((file) =>
  file.statements
    .filter((node) => ts.isClassDeclaration(node))
    .map((node) => ({ name: node.name?.text ?? file.fileName, dependencies: dependenciesOf(node, file) })),
);

describe('classes', () => {
  it('are found, with what they depend on', () => {
    expect(classes.length).toBeGreaterThan(200);
    expect(classes.find(({ name }) => name === 'Sweeper')?.dependencies).toContain('ledger');
  });

  it('depend on at most seven things', () => {
    const over = classes.filter(({ dependencies }) => dependencies.length > maxDependencies);
    expect(
      over
        .filter(({ name }) => !(name in allowed))
        .map(({ name, dependencies }) => `${name}: ${dependencies.join(', ')}`),
    ).toEqual([]);
    expect(Object.keys(allowed).filter((name) => !over.some((one) => one.name === name))).toEqual([]);
  });
});
