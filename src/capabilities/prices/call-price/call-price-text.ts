import { renderTable } from '../../../terminal/text-table.ts';
import type { CallPriceDocument } from './call-price-document.ts';

/** The arithmetic of a call for the terminal, to the last digit. */
export function callPriceText(call: CallPriceDocument): string {
  const { price, lines, records } = call;
  const mode = [
    call.tier,
    ...(call.requestKind === 'batch' ? ['batch'] : []),
    ...(call.geography === undefined ? [] : [`in ${call.geography}`]),
  ];
  const answered =
    call.answeredModel === undefined || call.answeredModel === call.model
      ? ''
      : ` (answered by ${call.answeredModel})`;
  return [
    `call ${call.id} of ${call.team}: ${call.provider}/${call.model}${answered}, ${mode.join(', ')}, at ${call.sentAt}, ${call.settlement}`,
    price === undefined ? 'no price made its cost' : price.reference,
    ...(price === undefined || price.isPresent
      ? []
      : [`The present prices are others (price book ${call.priceBook}).`]),
    ...(price?.isPresent === true
      ? [
          '',
          renderTable(
            [
              { title: 'rule' },
              { title: 'factor', align: 'right' },
              { title: 'reference' },
              { title: 'source' },
            ],
            price.rules.map(({ kind, multiplier, reference, source }) => [
              kind,
              multiplier ?? '',
              reference,
              source ?? '',
            ]),
          ),
        ]
      : []),
    '',
    renderTable(
      [
        { title: 'kind' },
        { title: 'count', align: 'right' },
        { title: 'USD', align: 'right' },
        { title: 'band' },
        { title: 'amount', align: 'right' },
      ],
      [
        ...lines.map((line) => [
          line.kind,
          line.count === undefined ? '' : String(line.count),
          line.usdPerMillion === undefined ? (line.usdPerUse ?? '') : `${line.usdPerMillion} / million`,
          line.aboveInputTokens === undefined
            ? ''
            : `above ${line.aboveInputTokens} of ${call.inputTokens} input`,
          line.amountUsd ?? 'unknown',
        ]),
        ['total', '', '', '', call.costUsd ?? 'unknown'],
      ],
    ),
    ...(call.chargedUsd === undefined
      ? []
      : [
          '',
          `The provider said that it charged ${call.chargedUsd} USD; the list price is ${call.listCostUsd ?? 'not known'}.`,
        ]),
    ...(call.upperBoundUsd === undefined
      ? []
      : ['', `At most ${call.upperBoundUsd} USD: not all of it is known.`]),
    ...(call.presentUsd === undefined || call.presentUsd === call.costUsd
      ? []
      : ['', `The present prices make it ${call.presentUsd} USD.`]),
    ...(call.unpricedBecause === undefined ? [] : ['', `No present price: ${call.unpricedBecause}.`]),
    '',
    renderTable(
      [
        { title: 'recorded' },
        { title: 'what' },
        { title: 'USD', align: 'right' },
        { title: 'booked' },
        { title: 'by' },
        { title: 'why' },
      ],
      records.map((record) => [
        record.recordedAt,
        record.kind,
        record.costUsd ?? 'unpriced',
        record.correctedPeriod === undefined
          ? record.bookedAt
          : `${record.bookedAt} for ${record.correctedPeriod}`,
        record.actor ?? '',
        record.reason ?? '',
      ]),
    ),
  ].join('\n');
}
