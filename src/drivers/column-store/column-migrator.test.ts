import { describe, expect, it } from 'vitest';
import { renderMigration, splitStatements } from './column-migrator.ts';

const text = `-- A comment; with a semicolon.
CREATE TABLE {{database}}.t {{on_cluster}} (a String) ENGINE = {{engine:SummingMergeTree(a, b)}} ORDER BY a
SETTINGS {{deduplication}};

-- Another.
CREATE VIEW {{database}}.v AS SELECT ';' AS a;
`;

describe('renderMigration', () => {
  it('writes plain engines for one server', () => {
    const rendered = renderMigration(text, 'mill', undefined);
    expect(rendered).toContain('mill.t  (a String) ENGINE = SummingMergeTree(a, b)');
    expect(rendered).toContain('SETTINGS non_replicated_deduplication_window = 10000;');
  });

  it('writes replicated engines on every node for a cluster', () => {
    const rendered = renderMigration(text, 'mill', 'main');
    expect(rendered).toContain(
      "mill.t ON CLUSTER 'main' (a String) ENGINE = ReplicatedSummingMergeTree(a, b)",
    );
    expect(rendered).toContain('SETTINGS replicated_deduplication_window = 10000');
    expect(rendered).not.toContain('non_replicated');
  });

  it('refuses a placeholder that it does not know, and a name that is none', () => {
    expect(() => renderMigration('{{shard}}', 'mill', undefined)).toThrow(/\{\{shard\}\}/);
    expect(() => renderMigration('{{engine}}', 'mill', undefined)).toThrow(/\{\{engine\}\}/);
    expect(() => renderMigration(text, 'mill', "main'; DROP")).toThrow(/cluster name/);
  });
});

describe('splitStatements', () => {
  it('splits at semicolons at the end of a line and drops comments', () => {
    const statements = splitStatements(renderMigration(text, 'mill', undefined));
    expect(statements).toHaveLength(2);
    expect(statements[0]).toMatch(/^CREATE TABLE mill\.t/);
    expect(statements[1]).toBe("CREATE VIEW mill.v AS SELECT ';' AS a");
  });
});
