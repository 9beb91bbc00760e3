import { type EChartsOption, init } from 'echarts';
import { page } from './colours.ts';
import type { Size } from './html.ts';

/** Draws a chart without a browser, as SVG text. */
export function chartSvg(option: EChartsOption, { width, height }: Size): string {
  const chart = init(null, 'dark', { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({
      useUTC: true,
      animation: false,
      backgroundColor: 'transparent',
      textStyle: { fontFamily: 'sans-serif', color: page.text },
      ...option,
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}
