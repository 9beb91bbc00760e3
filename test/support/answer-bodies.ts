/* Bodies of answers as providers send them, with their usage. */

type Details = Readonly<Record<string, unknown>>;

/** A chat completion. */
export function chat(
  prompt: number,
  completion: number,
  input: Details = {},
  output: Details = {},
  more: Details = {},
): Details {
  return {
    object: 'chat.completion',
    ...more,
    usage: {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: prompt + completion,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0, ...input },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, ...output },
    },
  };
}

/** A response of the Responses API. */
export function response(
  input: number,
  output: number,
  inputDetails: Details = {},
  more: Details = {},
  out: Details = {},
): Details {
  return {
    object: 'response',
    ...more,
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: 0, ...inputDetails },
      output_tokens: output,
      output_tokens_details: { reasoning_tokens: 0, ...out },
      total_tokens: input + output,
    },
  };
}

/** An answer of the messages API. */
export function message(input: number, output: number, more: Details = {}): Details {
  return {
    type: 'message',
    usage: {
      input_tokens: input,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      output_tokens: output,
      service_tier: 'standard',
      ...more,
    },
  };
}
