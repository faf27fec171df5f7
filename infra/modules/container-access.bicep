// One role for one principal on one blob container.

@description('Storage account.')
param storageAccountName string

@description('Blob container.')
param containerName string

@description('Object id of who gets the role.')
param principalId string

@description('Kind of principal; empty where it may be a person or a pipeline.')
@allowed(['ServicePrincipal', ''])
param principalType string = 'ServicePrincipal'

@description('contributor: read, write and delete blobs. reader: read them.')
@allowed(['contributor', 'reader'])
param role string = 'contributor'

var roleIds = {
  contributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor
  reader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1' // Storage Blob Data Reader
}

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageAccountName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' existing = {
  parent: account
  name: 'default'
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobs
  name: containerName
}

resource blobRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: container
  name: guid(container.id, principalId, roleIds[role])
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds[role])
    principalId: principalId
    principalType: empty(principalType) ? null : principalType
  }
}
