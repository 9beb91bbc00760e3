import { rolldown } from 'rolldown';

/** A program and all that it imports as one module, as browsers get it: minified, in production mode. */
export async function bundle(entry: string): Promise<string> {
  const built = await rolldown({
    input: entry,
    platform: 'browser',
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
    logLevel: 'silent',
  });
  try {
    const { output } = await built.generate({ format: 'esm', minify: true });
    const [chunk, ...more] = output;
    if (more.length > 0) throw new Error('it is more than one file');
    return chunk.code;
  } finally {
    await built.close();
  }
}
