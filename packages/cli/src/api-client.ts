/** The public GraphQL API, as any program of a customer's uses it. */
import { z } from 'zod';
import { CliError } from './cli-error.js';

const answerSchema = z.object({
  data: z.unknown(),
  errors: z.array(z.object({ message: z.string(), extensions: z.object({ code: z.string() }).optional() })).optional(),
});

/** A refusal by the API itself: `code` is one of its error codes. */
export class ApiRefusal extends CliError {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** It is away, or too busy: the same call can succeed later. */
export class ApiUnavailable extends CliError {}

export class ApiClient {
  constructor(
    readonly url: string,
    private readonly apiKey: string,
  ) {}

  get headers(): Record<string, string> {
    return { authorization: `Bearer ${this.apiKey}` };
  }

  async ask<S extends z.ZodType>(schema: S, query: string, variables: object = {}): Promise<z.infer<S>> {
    const response = await this.post(JSON.stringify({ query, variables }));
    const answer = answerSchema.safeParse(await response.json().catch(() => null)).data;
    const refusal = answer?.errors?.[0];
    if (refusal) throw new ApiRefusal(refusal.extensions?.code ?? 'INTERNAL_SERVER_ERROR', refusal.message);
    if (response.status === 429 || response.status >= 500) throw new ApiUnavailable(`${this.url}: found HTTP ${response.status}, expected an answer of the API`);
    const found = schema.safeParse(answer?.data);
    if (!found.success) throw new CliError(`ARIL_URL: found no Aril API at ${this.url} (HTTP ${response.status}), expected one of this version`);
    return found.data;
  }

  private async post(body: string): Promise<Response> {
    try {
      return await fetch(`${this.url}/graphql`, { method: 'POST', headers: { ...this.headers, 'content-type': 'application/json' }, body });
    } catch (error) {
      const { cause } = error as Error;
      throw new ApiUnavailable(`ARIL_URL: ${this.url} cannot be reached${cause instanceof Error ? ` (${cause.message || String((cause as NodeJS.ErrnoException).code)})` : ''}`);
    }
  }
}
