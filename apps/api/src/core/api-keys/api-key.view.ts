import type { ApiKeyRow } from '../../models/api-key.model.js';
import type { ApiKeyType } from './api-key.types.js';
import { permissionsOf, previousWorks, targetIdsOf } from './key-secrets.js';

export function apiKeyView(row: ApiKeyRow): ApiKeyType {
  const { id, name, prefix, createdAt, lastUsedAt, secretLastUsedAt, expiresAt } = row;
  return { id, name, prefix, createdAt, lastUsedAt, secretLastUsedAt, expiresAt, permissions: permissionsOf(row), targetIds: targetIdsOf(row), previousSecret: previousSecret(row) };
}

function previousSecret(row: ApiKeyRow): ApiKeyType['previousSecret'] {
  const { previousPrefix, previousEndsAt, previousLastUsedAt } = row;
  if (previousPrefix === null || previousEndsAt === null || !previousWorks(row, new Date())) return null;
  return { prefix: previousPrefix, worksUntil: previousEndsAt, lastUsedAt: previousLastUsedAt };
}
