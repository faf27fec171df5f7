// The rights of the app on one cluster.

@description('Name of the cluster.')
param clusterName string

@description('Object id of the identity of the app.')
param principalId string

@description('custom: our role of three actions. builtIn: Reader and the Agent Pool Manager, which may also delete pools.')
@allowed(['custom', 'builtIn'])
param role string

@description('Name of the installation.')
param environmentName string

var readerRoleId = 'acdd72a7-3385-48ef-bd42-f606fba81ae7' // Reader
var poolManagerRoleId = '1b7f3653-4324-473a-9165-bc55e4d04ba8' // Azure Kubernetes Service Agent Pool Manager Role
var sizerRoleId = guid(toLower(resourceGroup().id), environmentName, 'forescale-pool-sizer')

resource cluster 'Microsoft.ContainerService/managedClusters@2025-05-01' existing = {
  name: clusterName
}

resource sizer 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (role == 'custom') {
  scope: cluster
  name: guid(cluster.id, principalId, sizerRoleId)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', sizerRoleId)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource poolManager 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (role == 'builtIn') {
  scope: cluster
  name: guid(cluster.id, principalId, poolManagerRoleId)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', poolManagerRoleId)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (role == 'builtIn') {
  scope: cluster
  name: guid(cluster.id, principalId, readerRoleId)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', readerRoleId)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
