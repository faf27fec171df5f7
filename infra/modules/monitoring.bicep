// Logs: one workspace, one Application Insights that accepts Entra tokens only, and who receives alerts.

@description('Name of the installation.')
param environmentName string

@description('Azure region.')
param location string

@description('Tags.')
param tags object

@description('Days that logs are kept.')
param retentionDays int

@description('Most log data a day, in GB; -1 for no limit.')
param dailyQuotaGB int

@description('Mail addresses that the alerts go to.')
param alertEmails array

@description('Object id of the identity that may send telemetry.')
param publisherPrincipalId string

var publisherRoleId = '3913510d-42f4-4e42-8a64-420c390055eb' // Monitoring Metrics Publisher

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: 'log-forescale-${environmentName}'
  location: location
  tags: tags
  properties: {
    retentionInDays: retentionDays
    sku: {
      name: 'PerGB2018'
    }
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
    workspaceCapping: {
      dailyQuotaGb: dailyQuotaGB
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-forescale-${environmentName}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    DisableLocalAuth: true
    WorkspaceResourceId: workspace.id
  }
}

resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: insights
  name: guid(insights.id, publisherPrincipalId, publisherRoleId)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', publisherRoleId)
    principalId: publisherPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource receivers 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmails)) {
  name: 'ag-forescale-${environmentName}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'forescale'
    emailReceivers: [
      for (address, i) in alertEmails: {
        name: 'mail-${i}'
        emailAddress: address
        useCommonAlertSchema: true
      }
    ]
  }
}

@description('Resource id of the Log Analytics workspace.')
output workspaceId string = workspace.id
@description('Connection string of Application Insights; it names the place, it opens nothing: local authentication is off.')
output insightsConnectionString string = insights.properties.ConnectionString
@description('Resource id of the action group; empty if nobody receives alerts.')
output actionGroupId string = empty(alertEmails) ? '' : receivers.id
