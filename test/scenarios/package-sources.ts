/* What a user of the package writes, as far as the README does not show it. */

/** A Nest application around the README's module, on its own routes. */
export const nestApplication = `
import 'reflect-metadata';
import { Body, Controller, HttpCode, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Millrace } from 'millrace';
import { ApplicationModule, Documents } from './application.module.js';

@Controller('documents')
class DocumentsController {
  // Injected by type, as users of Nest write it.
  constructor(private readonly documents: Documents) {}

  @Post()
  @HttpCode(204)
  add(@Body() { id, text }: { id: string; text: string }): Promise<void> {
    return this.documents.add(id, text, 'acme');
  }
}

@Module({
  imports: [ApplicationModule],
  controllers: [DocumentsController],
  providers: [Documents],
})
class Root {}

const app = await NestFactory.create<NestFastifyApplication>(Root, new FastifyAdapter(), { logger: false });
await app.listen(0, '127.0.0.1');
const url = await app.getUrl();
const added = await fetch(url + '/documents', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ id: 'tides', text: 'The tide rises twice a day.' }),
});
const millrace = app.get(Millrace, { strict: false });
while (!(await millrace.isIdle())) await new Promise((resolve) => setTimeout(resolve, 20));
const { messages, calls } = await millrace.status();
const metrics = await (await fetch(url + '/metrics')).text();
const answer = {
  added: added.status,
  ready: ((await (await fetch(url + '/health/ready')).json()) as { status: string }).status,
  costsWithoutKey: (await fetch(url + '/v1/costs')).status,
  isCounted: /^millrace_cost_usd_total\\{.*stage="summarise".*\\} [0-9.e-]*[1-9]/m.test(metrics),
  messages,
  settledUsd: calls.settledUsd.toFixed(),
};
await app.close();
console.log(JSON.stringify(answer));
`;

/** What does not match the declared types, and must not compile. */
export const mistakes = `
import { type StageContext, defineMessage, defineStage } from 'millrace';
import { z } from 'zod';

const NoteWritten = defineMessage('note.written').version(1, z.object({ text: z.string() }));
export const read = defineStage('read', { consumes: NoteWritten.upTo(1), emits: [NoteWritten.v1] });
export function handle(ctx: StageContext): void {
  ctx.emit(NoteWritten.v1, { text: 1 });
}
`;
