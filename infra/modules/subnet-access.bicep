// For clusters in a virtual network of their owner: writing a node pool may ask for the right to join its subnet.

@description('Virtual network.')
param virtualNetworkName string

@description('Subnet of the nodes.')
param subnetName string

@description('Object id of the identity of the app.')
param principalId string

@description('Name of the installation.')
param environmentName string

resource network 'Microsoft.Network/virtualNetworks@2024-07-01' existing = {
  name: virtualNetworkName
}

resource subnet 'Microsoft.Network/virtualNetworks/subnets@2024-07-01' existing = {
  parent: network
  name: subnetName
}

resource joiner 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subnet.id, environmentName, 'forescale-subnet-joiner')
  properties: {
    type: 'CustomRole'
    roleName: 'Forescale subnet joiner (${environmentName}, ${subnetName}, ${take(uniqueString(toLower(subnet.id)), 5)})'
    description: 'May put nodes into one subnet.'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: ['Microsoft.Network/virtualNetworks/subnets/join/action']
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource join 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: subnet
  name: guid(subnet.id, principalId, joiner.id)
  properties: {
    roleDefinitionId: joiner.id
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
