// When somebody is alerted: one rule for each query in ../queries, and a workbook over the same lines.

@description('Name of the installation.')
param environmentName string

@description('Azure region.')
param location string

@description('Tags.')
param tags object

@description('Log Analytics workspace that holds the telemetry.')
param logsWorkspaceId string

@description('Action group to tell; empty for none: the alert then shows in Azure Monitor only.')
param actionGroupId string

@description('Minutes without a decision after which the tick counts as late.')
param tickLateAfterMin int

@description('Days after which a model that still serves counts as stale.')
param modelStaleAfterDays int

// severity: 1 a person must act now, 2 today, 3 when convenient.
var rules = [
  {
    name: 'tick-failed'
    title: 'A pool could not be served'
    severity: 1
    everyMin: 5
    windowMin: 15
    query: loadTextContent('../queries/tick-failed.kql')
  }
  {
    name: 'tick-late'
    title: 'No decision for a while'
    severity: 1
    everyMin: 5
    windowMin: 60
    query: replace(loadTextContent('../queries/tick-late.kql'), '{tickLateAfterMin}', string(tickLateAfterMin))
  }
  {
    name: 'model-refused'
    title: 'A published model was refused'
    severity: 2
    everyMin: 15
    windowMin: 30
    query: loadTextContent('../queries/model-refused.kql')
  }
  {
    name: 'model-stale'
    title: 'A model is old, or a stand-in forecasts'
    severity: 3
    everyMin: 60
    windowMin: 120
    query: replace(loadTextContent('../queries/model-stale.kql'), '{modelStaleAfterDays}', string(modelStaleAfterDays))
  }
  {
    name: 'slo-missed'
    title: 'More misses than the SLO allows'
    severity: 2
    everyMin: 15
    windowMin: 60
    query: loadTextContent('../queries/slo-missed.kql')
  }
  {
    name: 'resize-failed'
    title: 'A resize failed'
    severity: 2
    everyMin: 5
    windowMin: 15
    query: loadTextContent('../queries/resize-failed.kql')
  }
  {
    name: 'quota'
    title: 'Quota or capacity keeps nodes away'
    severity: 1
    everyMin: 5
    windowMin: 15
    query: loadTextContent('../queries/quota.kql')
  }
  {
    name: 'demand-dead'
    title: 'Demand is missing or stale'
    severity: 2
    everyMin: 5
    windowMin: 30
    query: loadTextContent('../queries/demand-dead.kql')
  }
]

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'forescale-${environmentName}-${rule.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Forescale ${environmentName}: ${rule.title}'
      description: '${rule.title}. What to do: docs/deploy.md, "Alerts", ${rule.name}.'
      severity: rule.severity
      enabled: true
      scopes: [logsWorkspaceId]
      evaluationFrequency: 'PT${rule.everyMin}M'
      windowSize: 'PT${rule.windowMin}M'
      autoMitigate: true
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: empty(actionGroupId) ? [] : [actionGroupId]
      }
    }
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, environmentName, 'forescale-workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Forescale ${environmentName}'
    category: 'workbook'
    sourceId: logsWorkspaceId
    serializedData: loadTextContent('../workbook.json')
  }
}
