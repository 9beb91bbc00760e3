import { createHash } from 'node:crypto';
import { html, type Html, htmlText, trusted } from './html.ts';
import { pageStyle } from './page-style.ts';

/* One HTML page for the screen and for A4: no script, nothing from elsewhere. */

/** What browsers may do with a page: apply its own style sheet. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(pageStyle).digest('base64')}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

// In one piece: the policy has the digest of all that is between its tags.
const styleElement = trusted(`<style>${pageStyle}</style>`);

/** What a page consists of. */
export interface Page {
  /** As browsers show it. */
  readonly title: string;
  /** What kind of page it is, above the heading. */
  readonly kind: string;
  readonly heading: string;
  /** What it is about, and as of when. */
  readonly period: Html;
  readonly body: Html;
  readonly footer: Html;
}

/** The page as text, to be served with `pagePolicy`. */
export function renderPage({ title, kind, heading, period, body, footer }: Page): string {
  return `<!doctype html>\n${htmlText(
    html`<html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        ${styleElement}
      </head>
      <body>
        <header>
          <p class="kind">${kind}</p>
          <h1><bdi>${heading}</bdi></h1>
          <p class="period">${period}</p>
        </header>
        ${body}
        <footer>${footer}</footer>
      </body>
    </html>`,
  )}\n`;
}

/** Figures side by side: a name, a value, and a note on it. */
export function cards(figures: readonly (readonly [name: string, value: string, note: string])[]): Html {
  return html`<section class="cards">
    ${figures.map(
      ([name, value, note]) =>
        html`<div>
          <p>${name}</p>
          <strong>${value}</strong>
          <p class="note">${note}</p>
        </div>`,
    )}
  </section>`;
}
