import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { chromiumPrograms, directoryOf } from '../../test/support/required-programs.ts';
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

/** Takes the whole of each page, in a headless Chromium without network. Answers titles that are cut. */
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
      const cut: string[] = await page.$$eval('h3, .legend', (elements) =>
        elements
          .filter((element) => element.scrollWidth > element.clientWidth + 1)
          .map((element) => element.textContent),
      );
      faults.push(...cut.map((text) => ({ htmlFile, fault: `cut: ${text}` })));
      await page.screenshot({ path: pngFile, fullPage: true });
    }
  } finally {
    await browser.close();
  }
  return faults;
}
