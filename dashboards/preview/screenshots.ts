import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { z } from 'zod';
import { chromiumPrograms, directoryOf, pngquantPrograms } from '../../test/support/required-programs.ts';
import { pageWidth } from './board-page.ts';

/** A page that has been written, and where its picture goes. */
export interface Shot {
  readonly htmlFile: string;
  readonly pngFile: string;
}

/** What a picture would show badly, in words. */
export interface ShotFault {
  readonly htmlFile: string;
  readonly fault: string;
}

const texts = z.array(z.string());

/** Runs in the page, whose types are not ours. */
const findCutTexts = `[...document.querySelectorAll('h3, th, td, .legend, .stat b, .state > span, .state i')]
  .filter((element) => element.scrollWidth > element.clientWidth + 1)
  .map((element) => element.textContent)`;

/** Takes the whole of each page, in a headless Chromium without network. Answers texts that are cut. */
export async function takeScreenshots(shots: readonly Shot[]): Promise<readonly ShotFault[]> {
  const browser = await chromium.launch({
    executablePath: join(directoryOf(chromiumPrograms()), 'chromium'),
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--font-render-hinting=none'],
  });
  const faults: ShotFault[] = [];
  try {
    const context = await browser.newContext({
      viewport: { width: pageWidth, height: 900 },
      deviceScaleFactor: 1,
      offline: true,
    });
    const page = await context.newPage();
    for (const { htmlFile, pngFile } of shots) {
      await page.goto(pathToFileURL(htmlFile).href);
      const cut = texts.parse(await page.evaluate(findCutTexts));
      faults.push(...cut.map((text) => ({ htmlFile, fault: `cut: ${text}` })));
      await page.screenshot({ path: pngFile, fullPage: true });
      reduce(pngFile);
    }
  } finally {
    await browser.close();
  }
  return faults;
}

/** To a palette, which charts can do with: a third of the size. */
function reduce(pngFile: string): void {
  const pngquant = join(directoryOf(pngquantPrograms()), 'pngquant');
  execFileSync(pngquant, ['--force', '--ext', '.png', '--strip', '--speed', '1', '128', pngFile]);
}
