import type { Client } from 'urql';
import { followGeneration } from '@/lib/api/follow-generation';
import { cancelGeneration, readAmount, startGeneration, streamFailure } from '@/lib/api/generation-client';
import type { GenerateInput } from '@/lib/api/generated/graphql';
import { randomId } from '@/lib/random-id';
import { SpeedMeter } from './speed-meter';
import type { Reply } from './turn';

/** One answer in the making; `stop` asks the service to end it, `abandon` also stops listening. */
export class ReplyRun {
  private readonly listening = new AbortController();
  private generationId: string | null = null;
  private stopWanted = false;

  constructor(
    private readonly client: Client,
    private readonly onChange: (change: Partial<Reply>) => void,
  ) {}

  /** Resolves with whether the service took the request, as soon as that is known; the answer comes through `onChange`. */
  async run(input: GenerateInput): Promise<boolean> {
    const meter = new SpeedMeter(performance.now(), () => performance.now());
    const started = await startGeneration(this.client, { ...input, idempotencyKey: randomId() });
    if ('error' in started) {
      this.report({ state: 'failed', error: started.error });
      return false;
    }
    this.generationId = started.id;
    this.report({ variant: started.variant });
    if (this.stopWanted) void cancelGeneration(this.client, started.id);
    void this.listen(started.id, meter).catch((error: unknown) =>
      this.report({ state: 'failed', link: 'up', error: streamFailure(error) }),
    );
    return true;
  }

  stop(): void {
    this.stopWanted = true;
    if (this.generationId) void cancelGeneration(this.client, this.generationId);
  }

  abandon(): void {
    this.stop();
    this.listening.abort();
  }

  private async listen(id: string, meter: SpeedMeter): Promise<void> {
    let [text, reasoning] = ['', ''];
    const options = {
      signal: this.listening.signal,
      onReconnect: () => this.report({ link: 'broken' }),
      onQuiet: () => this.report({ link: 'quiet' }),
    };
    for await (const event of followGeneration(id, options)) {
      // The playground asks for one answer, which ends with the generation, and for no echo of the prompt.
      if (event.__typename === 'GenerationChoiceEnd' || event.__typename === 'GenerationPrompt') continue;
      text += event.text;
      reasoning += event.reasoning;
      if (event.__typename === 'GenerationTokens') {
        meter.saw(event.tokenCount);
        const { ttftMs, tokensPerSecond, tokenCount: completionTokens } = meter;
        this.report({
          state: 'streaming',
          link: 'up',
          text,
          reasoning,
          ttftMs,
          tokensPerSecond,
          completionTokens,
        });
        continue;
      }
      const { finishReason, promptTokens, cachedTokens, completionTokens, reasoningTokens, error } = event;
      const { ttftMs, tokensPerSecond } = meter;
      const state = error ? 'failed' : 'finished';
      this.report({
        state,
        link: 'up',
        text,
        reasoning,
        finishReason,
        promptTokens,
        cachedTokens,
        completionTokens,
        reasoningTokens,
        error,
        ttftMs,
        tokensPerSecond,
      });
      // Not waited for: the next question may be asked before the bill is known.
      void readAmount(this.client, id).then((amount) => this.report({ amount }));
    }
  }

  private report(change: Partial<Reply>): void {
    if (!this.listening.signal.aborted) this.onChange(change);
  }
}
