// The three actions that sizing a node pool needs, as a role of one resource group.

@description('Name of the installation.')
param environmentName string

resource sizer 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(toLower(resourceGroup().id), environmentName, 'forescale-pool-sizer')
  properties: {
    type: 'CustomRole'
    roleName: 'Forescale pool sizer (${environmentName}, ${toLower(resourceGroup().name)}, ${take(uniqueString(toLower(resourceGroup().id)), 5)})'
    description: 'May read AKS clusters and their node pools, and resize the pools. May not delete, upgrade or sign in.'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: [
          'Microsoft.ContainerService/managedClusters/read'
          'Microsoft.ContainerService/managedClusters/agentPools/read'
          'Microsoft.ContainerService/managedClusters/agentPools/write'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}
