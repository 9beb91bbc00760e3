import type { ChatMessage } from './transport.ts';

/* What the page keeps for its next load. A real application loads the messages from its server. */

const key = 'chat';

interface KeptChat {
  readonly id: string;
  readonly messages: ChatMessage[];
}

/** The chat of this tab, or a new one. */
export function loadChat(): KeptChat {
  const kept = sessionStorage.getItem(key);
  if (kept !== null) return JSON.parse(kept) as KeptChat;
  return { id: `chat-${Date.now()}-${Math.random().toString(36).slice(2)}`, messages: [] };
}

/** Keeps what is said. Of an answer that is being made nothing: it comes again from its beginning. */
export function keepChat(id: string, messages: ChatMessage[], isAnswering: boolean): void {
  const last = messages.at(-1);
  const whole = isAnswering && last?.role === 'assistant' ? messages.slice(0, -1) : messages;
  sessionStorage.setItem(key, JSON.stringify({ id, messages: whole } satisfies KeptChat));
}
