// One private endpoint, and its name in the private DNS zones.

@description('Name.')
param name string

@description('Azure region.')
param location string

@description('Tags.')
param tags object

@description('Subnet of the endpoint.')
param subnetId string

@description('Resource to reach.')
param targetId string

@description('Part of the resource to reach, such as blob.')
param groupId string

@description('Private DNS zones to register in.')
param dnsZoneIds array

resource endpoint 'Microsoft.Network/privateEndpoints@2024-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: groupId
        properties: {
          privateLinkServiceId: targetId
          groupIds: [groupId]
        }
      }
    ]
  }
}

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-07-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      for (zoneId, i) in dnsZoneIds: {
        name: 'zone-${i}'
        properties: {
          privateDnsZoneId: zoneId
        }
      }
    ]
  }
}
