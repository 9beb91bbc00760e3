import type {
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4Message,
} from '@ai-sdk/provider';

/* The texts of requests and answers, for counting their tokens. What a file weighs is not known here and left out. */

/** Everything in a request that becomes tokens, as one text. */
export function promptText({ prompt, tools, responseFormat }: LanguageModelV4CallOptions): string {
  const texts = prompt.map((message) => messageText(message));
  if (tools !== undefined && tools.length > 0) texts.push(JSON.stringify(tools));
  if (responseFormat !== undefined && responseFormat.type === 'json')
    texts.push(JSON.stringify(responseFormat));
  return texts.join('\n');
}

/** Everything in an answer that was tokens, as one text. */
export function contentText(content: readonly LanguageModelV4Content[]): string {
  return content
    .map((part) => {
      if (part.type === 'text' || part.type === 'reasoning') return part.text;
      return part.type === 'tool-call' ? `${part.toolName} ${part.input}` : '';
    })
    .join('\n');
}

function messageText(message: LanguageModelV4Message): string {
  if (message.role === 'system') return message.content;
  return message.content
    .map((part) => {
      if (part.type === 'text' || part.type === 'reasoning') return part.text;
      if (part.type === 'tool-call') return `${part.toolName} ${JSON.stringify(part.input)}`;
      if (part.type === 'tool-result') return JSON.stringify(part.output);
      return part.type === 'file' && part.data.type === 'text' ? part.data.text : '';
    })
    .join('\n');
}
