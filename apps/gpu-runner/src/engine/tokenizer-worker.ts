/** The entry of a tokenizer thread: a prompt or messages in, their tokens out. */
import { EngineError, ModelTokenizer } from '@aril/sgmv-native';
import { parentPort, workerData } from 'node:worker_threads';
import { refuseTooLong } from './prompt-length.js';
import type { TextInput, TokenizerReply, TokenizerThreadData } from './tokenizer-protocol.js';

const port = parentPort!;
const { modelDir, positions } = workerData as TokenizerThreadData;
const tokenizer = await ModelTokenizer.load(modelDir);
const floor = tokenizer.floor();

function tokensOf(input: TextInput): number[] {
  if (input.kind === 'prediction') return tokenizer.encode(input.text, { addSpecialTokens: false }).slice(0, positions);
  if (input.kind === 'prompt') return tokenizer.encode(input.prompt, { addSpecialTokens: true }); // looked at before it came here
  const text = tokenizer.render(input.messages, input.tools, input.templateOptions, input);
  refuseTooLong(text, floor, positions);
  return tokenizer.encode(text, { addSpecialTokens: false });
}

port.on('message', (input: TextInput) => {
  try {
    const tokens = Int32Array.from(tokensOf(input));
    port.postMessage({ tokens } satisfies TokenizerReply, [tokens.buffer]);
  } catch (error) {
    const code = error instanceof EngineError ? error.code : 'tokenizer_failed';
    port.postMessage({ code, reason: (error as Error).message } satisfies TokenizerReply);
  }
});
