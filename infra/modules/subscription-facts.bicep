// Optional: what makes answers better and is not needed to scale (docs/operations.md), read-only and for a whole subscription.
targetScope = 'subscription'

@description('Name of the installation.')
param environmentName string

@description('Object id of the identity of the app.')
param principalId string

resource facts 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, environmentName, 'forescale-fact-reader')
  properties: {
    type: 'CustomRole'
    roleName: 'Forescale fact reader (${environmentName}, ${take(subscription().subscriptionId, 8)})'
    description: 'May read how AKS operations ended, compute quotas and machine sizes of one subscription.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: [
          'Microsoft.ContainerService/locations/operations/read'
          'Microsoft.Compute/locations/usages/read'
          'Microsoft.Compute/skus/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource appReadsFacts 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, principalId, facts.id)
  properties: {
    roleDefinitionId: facts.id
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
