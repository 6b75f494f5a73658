import { inject } from 'vitest';
import type { Stack, Tenant } from '../setup/stack.js';

export const stack: Stack = inject('stack');

/** The demo tenant that has the adapter. */
export function tenantWith(adapter: string): Tenant {
  const tenant = stack.tenants.find(({ adapters }) => adapters.includes(adapter));
  if (!tenant) throw new Error(`no demo tenant has the adapter ${adapter}`);
  return tenant;
}

/** Prompts of `shared/golden`, with the answers Transformers and PEFT gave (greedy). */
export const ORDER = {
  adapter: 'order-json',
  prompt: 'Hi, this is Nora. Please send 12 green chairs to Madrid by Friday.',
  answer: '{"name": "Nora", "item": "green chairs", "quantity": 12, "city": "Madrid", "day": "Friday"}',
};
export const SQL = {
  adapter: 'sql',
  prompt: 'Table cars(id, brand, price, color)\nQuestion: How many cars have color red?',
  answer: "SELECT COUNT(*) FROM cars WHERE color = 'red';",
};
