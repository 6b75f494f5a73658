/** The log's fields and values as people read them. */
import { formatDateTime } from '@/lib/format/time';
import type { AuditEventsQuery } from '@/lib/api/generated/graphql';

export type AuditEvent = AuditEventsQuery['tenant']['auditEvents']['nodes'][number];

const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/;
const WORDS: Record<string, string> = { id: 'ID', usd: '(USD)', sha256: 'SHA-256' };

/** "budgetHardUsd" → "Budget hard (USD)" */
export const fieldLabel = (field: string): string => {
  const words = field.replace(/([a-z\d])([A-Z])/g, '$1 $2').toLowerCase().split(' ');
  const text = words.map((word) => WORDS[word] ?? word).join(' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
};

/** null: there was nothing. */
export const valueText = (value: unknown): string | null => {
  if (value === null || value === undefined || value === '') return null;
  if (typeof value === 'string') return ISO_TIME.test(value) ? formatDateTime(value) : value;
  if (typeof value === 'number') return value.toLocaleString('en-US');
  if (typeof value === 'boolean') return value ? 'Yes' : 'No';
  if (Array.isArray(value)) return value.map((one) => valueText(one) ?? '–').join('\n');
  return Object.entries(value).map(([name, one]) => `${fieldLabel(name)}: ${valueText(one) ?? '–'}`).join(', ');
};

/** Where the portal shows what was changed; null: nowhere, or it is gone. */
export const hrefOf = ({ type, id, exists }: AuditEvent['resource'], tenantId: string): string | null => {
  if (!exists) return null;
  const pages: Record<string, string> = {
    adapter: `/adapters/${id}`,
    deployment: `/deployments/${id}`,
    statement: `/billing/${id}`,
    batch: `/batches/batch_${id}`,
    batchFile: '/batches',
    apiKey: '/api-keys',
    limits: id === tenantId ? '/settings' : '/api-keys',
    billingDetails: '/billing',
    tenant: '/settings',
    member: '/settings',
    invitation: '/settings',
    user: '/settings',
  };
  return pages[type] ?? null;
};
