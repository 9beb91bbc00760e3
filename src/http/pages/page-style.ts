/** The style sheet of pages: for screens, and for A4 in black on white. */
export const pageStyle = `
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 800px; padding: 32px 24px; background: #fff; color: #1b2430; font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header { border-bottom: 2px solid #1b2430; padding-bottom: 12px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 28px 0 8px; break-after: avoid; }
p { margin: 4px 0; }
.kind { color: #56637a; font-size: 12px; letter-spacing: 0.06em; text-transform: uppercase; }
.period, .note, footer { color: #56637a; }
.cards { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin-top: 20px; }
.cards div { border: 1px solid #d5dbe5; border-radius: 6px; padding: 10px 12px; }
.cards p { font-size: 12px; margin: 0; }
.cards strong { display: block; font-size: 20px; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.open { background: #fff7e6; border-left: 4px solid #c77700; padding: 1px 16px 10px; margin-top: 24px; }
.open h2 { margin-top: 10px; }
.open ul { margin: 4px 0; padding-left: 20px; }
.warning { color: #9a3412; }
table { border-collapse: collapse; table-layout: fixed; width: 100%; font-variant-numeric: tabular-nums; }
thead { display: table-header-group; }
th { color: #56637a; font-size: 12px; font-weight: 600; text-align: left; border-bottom: 1px solid #9aa6b8; padding: 4px 6px; }
td { border-bottom: 1px solid #e6eaf0; padding: 4px 6px; vertical-align: baseline; }
td:first-child { overflow-wrap: anywhere; }
td i { color: #9a3412; font-size: 12px; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
.bars { width: 72px; }
.amount { width: 100px; }
.ratio { width: 78px; }
.count { width: 86px; }
.wide { width: 120px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 24px; }
.sum td { font-weight: 600; border-top: 1px solid #9aa6b8; }
.share { display: block; width: 60px; height: 8px; }
.track { fill: #e6eaf0; }
.bar { fill: #2f6fb3; }
.muted { fill: #8fb3d9; }
.good { fill: #2e7d4f; }
.bad { fill: #b3372f; }
.late { fill: #c77700; }
.calm { fill: #7b8799; }
.active { fill: #2f6fb3; }
.idle { fill: #d5dbe5; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 12px; }
.mark { display: inline-block; width: 10px; height: 10px; margin-right: 5px; }
.grid { stroke: #e1e6ee; stroke-width: 1; }
.axis { fill: #56637a; font-size: 11px; }
.end { text-anchor: end; }
.middle { text-anchor: middle; }
section svg[role] { width: 100%; height: auto; }
footer { border-top: 1px solid #d5dbe5; font-size: 12px; margin-top: 28px; padding-top: 8px; overflow-wrap: anywhere; }
@media screen and (max-width: 640px) {
  body { padding: 16px; }
  .cards { grid-template-columns: repeat(2, 1fr); }
  .pair { display: block; }
  table .bars { display: none; }
  table, thead, tbody { display: block; }
  tr { display: flex; flex-wrap: wrap; border-bottom: 1px solid #e6eaf0; }
  th, td { flex: 1 1 0; min-width: 0; width: auto; border-bottom: none; padding: 4px 3px; font-size: 12px; overflow-wrap: anywhere; }
  th:first-child:not(.number), td:first-child:not(.number) { flex-basis: 100%; font-weight: 600; }
  .number { white-space: normal; }
}
@page { size: A4; margin: 14mm; }
@media print {
  th, td i { font-size: 10px; }
  body { max-width: none; padding: 0; font-size: 11px; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  tr, .whole, .cards div { break-inside: avoid; }
}
`;
