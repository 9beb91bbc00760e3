import { useChat } from '@ai-sdk/react';
import { type ReactNode, type SubmitEvent, useEffect, useState } from 'react';
import { keepChat, loadChat } from './kept-chat.ts';
import { type ChatMessage, stopAnswer, transport } from './transport.ts';

const kept = loadChat();

/** A chat whose answers are requests to Millrace. */
export function Chat(): ReactNode {
  const [input, setInput] = useState('');
  const { id, messages, sendMessage, status, error } = useChat<ChatMessage>({
    ...kept,
    transport,
    // A page that is loaded again shows the answer that is being made, from its beginning.
    resume: kept.messages.at(-1)?.role === 'user',
  });
  const isAnswering = status === 'submitted' || status === 'streaming';
  useEffect(() => keepChat(id, messages, isAnswering), [id, messages, isAnswering]);

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (isAnswering || input.trim() === '') return;
    void sendMessage({ text: input });
    setInput('');
  };

  return (
    <>
      {messages.map((message) => (
        <Message key={message.id} message={message} />
      ))}
      {error !== undefined && <p role="alert">{error.message}</p>}
      <form onSubmit={submit} data-status={status}>
        <input
          aria-label="Question"
          value={input}
          onChange={({ currentTarget }) => setInput(currentTarget.value)}
        />
        {isAnswering ? (
          <button type="button" onClick={() => void stopAnswer(id)}>
            Stop
          </button>
        ) : (
          <button>Ask</button>
        )}
      </form>
    </>
  );
}

function Message({ message }: { readonly message: ChatMessage }): ReactNode {
  return (
    <article data-role={message.role}>
      {message.parts.map((part, at) => {
        if (part.type === 'text') return <span key={at}>{part.text}</span>;
        if (part.type !== 'data-usage') return null;
        const { usd, tokens, isFinal } = part.data;
        return (
          <small key={at}>
            ${usd}
            {isFinal ? '' : ' so far'}, {tokens} tokens
          </small>
        );
      })}
    </article>
  );
}
