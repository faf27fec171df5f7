// The right to read demand from one source, and nothing else there.

@description('Kind of source.')
@allowed(['prometheus', 'logs', 'metrics'])
param kind string

@description('Name of the Azure Monitor workspace, the Log Analytics workspace or the cluster.')
param name string

@description('Object id of the identity of the app.')
param principalId string

var dataReaderRoleId = 'b0d8363b-8ddd-447d-831f-62ca05bff136' // Monitoring Data Reader
var logsReaderRoleId = '73c42c96-874c-492b-b04d-ab87d138a893' // Log Analytics Reader
var monitoringReaderRoleId = '43d0d8ad-25c7-4714-9337-8ba259a9fe05' // Monitoring Reader

resource prometheus 'Microsoft.Monitor/accounts@2023-04-03' existing = if (kind == 'prometheus') {
  name: name
}

resource logs 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = if (kind == 'logs') {
  name: name
}

resource cluster 'Microsoft.ContainerService/managedClusters@2025-05-01' existing = if (kind == 'metrics') {
  name: name
}

resource readsPrometheus 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'prometheus') {
  scope: prometheus
  name: guid(prometheus.id, principalId, dataReaderRoleId)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', dataReaderRoleId)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource readsLogs 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'logs') {
  scope: logs
  name: guid(logs.id, principalId, logsReaderRoleId)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', logsReaderRoleId)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource readsMetrics 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'metrics') {
  scope: cluster
  name: guid(cluster.id, principalId, monitoringReaderRoleId)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringReaderRoleId)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
