import type { ApiKeyPermission } from '@/lib/api/generated/graphql';

/** What a key can be given instead of everything, and how people call it. */
export const PERMISSION_CHOICES = [
  { value: 'INFERENCE', label: 'Generate', description: 'The /v1 endpoints, and generations in GraphQL' },
  { value: 'ADAPTERS_READ', label: 'See adapters', description: 'Adapters, deployments and storage' },
  { value: 'ADAPTERS_WRITE', label: 'Manage adapters', description: 'Upload, change and delete them, and see them' },
  { value: 'USAGE_READ', label: 'See usage', description: 'Usage, statements, limits and billing details' },
] as const satisfies readonly { value: ApiKeyPermission; label: string; description: string }[];

export const isFull = (permissions: readonly ApiKeyPermission[]): boolean => permissions.includes('FULL');

export const permissionsInWords = (permissions: readonly ApiKeyPermission[]): string =>
  isFull(permissions)
    ? 'Full access'
    : PERMISSION_CHOICES.filter(({ value }) => permissions.includes(value))
        .map(({ label }, index) => (index === 0 ? label : label.toLowerCase()))
        .join(', ');
