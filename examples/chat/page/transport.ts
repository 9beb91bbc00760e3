import { DefaultChatTransport, type UIMessage } from 'ai';

/** What the stream tells beside text: the cost so far and, in the end, the whole cost, as an exact decimal string. */
export type ChatMessage = UIMessage<
  { requestId?: string; usd?: string },
  { usage: { usd: string; tokens: number; isFinal: boolean } }
>;

/** How `useChat` asks, and how it comes back to an answer that is being made. */
export const transport = new DefaultChatTransport<ChatMessage>({
  api: '/chat',
  prepareReconnectToStreamRequest: ({ id }) => ({ api: `/chat/${encodeURIComponent(id)}/stream` }),
});

/** Stops the answer and its bill. `stop()` of `useChat` would only stop listening. */
export async function stopAnswer(chatId: string): Promise<void> {
  await fetch(`/chat/${encodeURIComponent(chatId)}/stop`, { method: 'POST' });
}
