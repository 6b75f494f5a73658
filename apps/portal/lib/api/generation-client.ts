import type { Client } from 'urql';
import { toApiError, type ApiError } from './api-error';
import {
  CancelGenerationDocument,
  GenerationDocument,
  StartGenerationDocument,
} from './documents/generations';
import type { GenerateInput } from './generated/graphql';
import { StreamRefusedError } from './stream-error';

/** Starts a generation and gives its id and what answers it. The caller's key makes a repeat after a lost answer the same generation. */
export const startGeneration = async (
  client: Client,
  input: GenerateInput,
): Promise<{ id: string; variant: string } | { error: ApiError }> => {
  const { data, error } = await client.mutation(StartGenerationDocument, { input }).toPromise();
  if (data) return data.startGeneration.generation;
  return {
    error: error
      ? toApiError(error)
      : { code: 'INTERNAL_SERVER_ERROR', message: 'The API gave an empty answer.' },
  };
};

export const cancelGeneration = async (client: Client, generationId: string): Promise<boolean> => {
  const { error } = await client.mutation(CancelGenerationDocument, { input: { generationId } }).toPromise();
  return !error;
};

/** The bill follows the last token by a moment: it is written when the runner's report is settled. */
const SETTLE_DELAYS_MS = [150, 300, 600, 1_200, 2_400];

/** What the generation cost, or null when that does not become known soon. */
export const readAmount = async (client: Client, generationId: string): Promise<string | null> => {
  for (const delayMs of SETTLE_DELAYS_MS) {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    const { data } = await client
      .query(GenerationDocument, { id: generationId }, { requestPolicy: 'network-only' })
      .toPromise();
    if (data && data.generation.amount !== null) return data.generation.amount;
  }
  return null;
};

/** A failure of `followGeneration` in the words the rest of the portal uses. */
export const streamFailure = (error: unknown): ApiError =>
  error instanceof StreamRefusedError
    ? { code: error.code, message: error.message }
    : { code: 'API_UNREACHABLE', message: 'The connection to the API was lost and did not come back.' };
