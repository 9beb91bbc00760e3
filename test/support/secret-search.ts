/*
 * Looks for secrets in texts, by decoding whatever could hold one: a search that shares nothing with the code that
 * takes them out.
 */

/** The first secret that stands in the text in whatever form, with what is around it. */
export function findSecret(text: string, secrets: readonly string[]): string | undefined {
  for (const view of viewsOf(text)) {
    for (const secret of secrets) {
      const at = view.text.indexOf(secret);
      if (at >= 0) return `${view.name}: ${view.text.slice(Math.max(0, at - 80), at + secret.length + 40)}`;
    }
  }
  return undefined;
}

function* viewsOf(text: string): Generator<{ readonly name: string; readonly text: string }> {
  yield { name: 'as it is', text };
  const unescaped = text
    .replaceAll(/\\u([0-9a-f]{4})/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
    .replaceAll(/\\(["\\/])/g, '$1');
  yield { name: 'escaped for JSON', text: unescaped };
  let decoded = unescaped;
  for (let round = 0; round < 2; round += 1) {
    decoded = decoded.replaceAll(/%([0-9a-f]{2})/gi, (_, code: string) =>
      String.fromCharCode(parseInt(code, 16)),
    );
    yield { name: 'percent-encoded', text: decoded };
  }
  // Runs of base64, read from each of the four places where a group can begin.
  const runs = [...decoded.matchAll(/[a-z0-9+/_-]{16,}/gi)].map(([run]) => run);
  for (let skip = 0; skip < 4; skip += 1) {
    const read = runs.map((run) => Buffer.from(run.slice(skip), 'base64').toString('latin1'));
    yield { name: 'in base64', text: read.join('\n') };
  }
  const digits = [...decoded.matchAll(/[0-9a-f]{32,}/gi)].map(([run]) =>
    Buffer.from(run, 'hex').toString('latin1'),
  );
  yield { name: 'in hexadecimal digits', text: digits.join('\n') };
}
