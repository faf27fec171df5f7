// From nothing to an observing scaler: everything Forescale needs in one resource group, and its rights on the clusters it sizes.
targetScope = 'subscription'

@description('Short name of this installation, such as dev or prod; every resource is named after it.')
@minLength(2)
@maxLength(16)
param environmentName string

@description('Azure region of every resource.')
param location string

@description('Resource group to create and fill.')
param resourceGroupName string = 'rg-forescale-${environmentName}'

@description('Tags on every resource.')
param tags object = {}

@description('Python version of the function app.')
@allowed(['3.11', '3.12', '3.13'])
param pythonVersion string = '3.13'

@description('Memory of one instance, in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 512

@description('Most instances that HTTP traffic may start.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('NCRONTAB (UTC, seconds first) of the scale timer.')
param schedule string = '0 */5 * * * *'

@description('NCRONTAB (UTC, seconds first) of the timer that watches the models.')
param watchSchedule string = '0 15 * * * *'

@description('Blob container of configuration, history, models, decisions and state.')
param dataContainerName string = 'modeldata'

@description('Days that decisions are kept.')
@minValue(7)
param decisionRetentionDays int = 400

@description('Days that archived demand is kept; training looks back no further.')
@minValue(30)
param historyRetentionDays int = 800

@description('Redundancy of the data storage account.')
@allowed(['Standard_LRS', 'Standard_ZRS'])
param storageSku string = 'Standard_LRS'

@description('Where the Functions host may reach its own blobs: in its two containers, or, as the documentation has it, in the whole account.')
@allowed(['containers', 'account'])
param hostStorageScope string = 'containers'

@description('Existing AKS clusters to size, in any resource group and subscription of this tenant: objects of subscriptionId, resourceGroup, name, and subnetId (resource id of the subnet of the nodes where the virtual network is your own, else empty).')
param clusters array = []

@description('Create an AKS cluster too, for those who start from nothing.')
param createCluster bool = false

@description('Name of the cluster that createCluster makes.')
param newClusterName string = 'aks-forescale-${environmentName}'

@description('Kubernetes version of that cluster; empty for the default of the region.')
param newClusterVersion string = ''

@description('Pricing tier of that cluster: Free has no uptime promise, Standard has.')
@allowed(['Free', 'Standard'])
param newClusterTier string = 'Free'

@description('Size of its nodes.')
param newClusterVmSize string = 'Standard_D2s_v5'

@description('Nodes it starts with.')
@minValue(1)
param newClusterNodes int = 1

@description('Most nodes of its cluster autoscaler, of which Forescale then moves the minimum; 0 for no cluster autoscaler.')
@minValue(0)
param newClusterAutoscalerMax int = 0

@description('Addresses that may reach its Kubernetes API; none for any (sign-in is by Entra either way).')
param newClusterAuthorizedIPRanges array = []

@description('custom: a role of three actions on each cluster. builtIn: for tenants where role definitions may not be created; grants more.')
@allowed(['custom', 'builtIn'])
param clusterRole string = 'custom'

@description('Let the app read, in the subscriptions of the clusters, how AKS operations ended and what quota is left; not needed to scale.')
param readSubscriptionFacts bool = false

@description('Monitoring data that the pools file asks for demand, in any resource group and subscription of this tenant: objects of kind, subscriptionId, resourceGroup and name. Kind prometheus is an Azure Monitor workspace, logs a Log Analytics workspace, metrics the platform metrics of an AKS cluster.')
param demandSources array = []

@description('What runs a retraining; none creates no Azure ML workspace.')
@allowed(['azureml', 'azureml_jobs', 'none'])
param retrainingBackend string = 'azureml'

@description('Name of the Azure ML compute cluster that trains; it idles at zero nodes.')
param trainingComputeName string = 'train-cluster'

@description('Size of the training nodes.')
param trainingVmSize string = 'Standard_DS3_v2'

@description('Most training nodes at once.')
@minValue(1)
@maxValue(20)
param trainingMaxNodes int = 1

@description('Azure ML experiment that collects the runs.')
param trainingExperiment string = 'mlopspython'

@description('Published Azure ML pipeline to run instead of the code of the app, such as training-pipeline of the workshop; empty for none.')
param trainingPipeline string = ''

@description('Reach storage and Azure ML through private endpoints in a virtual network of their own; their public addresses are closed.')
param privateNetworking bool = false

@description('Keep the HTTP functions reachable from outside the virtual network; only matters with privateNetworking.')
param publicHttp bool = true

@description('Address range of the subnet that the app sends its traffic through, at least a /27; with the next one it makes the virtual network.')
param appSubnetPrefix string = '10.90.0.0/26'

@description('Address range of the subnet of the private endpoints.')
param endpointSubnetPrefix string = '10.90.0.64/26'

@description('Client id of an Entra app registration with the app roles Forescale.Reader and Forescale.Operator; empty: function keys only.')
param entraClientId string = ''

@description('Mail addresses that the alerts go to.')
param alertEmails array = []

@description('Minutes without a decision after which the tick counts as late; at least three periods of the schedule.')
@minValue(15)
param tickLateAfterMin int = 15

@description('Days after which a model that still serves counts as stale.')
@minValue(1)
param modelStaleAfterDays int = 30

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Most log data a day, in GB; -1 for no limit.')
param logDailyQuotaGB int = 1

@description('Object ids of people, groups or pipelines that may read and write the data container (pools file, models).')
param operatorObjectIds array = []

@description('Resource Manager endpoint, where it is not the own one of the cloud.')
param armEndpoint string = ''

var token = toLower(uniqueString(subscription().id, resourceGroupName, environmentName, location))
var trains = retrainingBackend != 'none'
var allTags = union({ 'azd-env-name': environmentName, application: 'forescale' }, tags)
var clouds = { AzureCloud: 'public', AzureUSGovernment: 'usgov', AzureChinaCloud: 'china' }
var blobHost = 'blob.${environment().suffixes.storage}'
var ownCluster = {
  subscriptionId: subscription().subscriptionId
  resourceGroup: resourceGroupName
  name: newClusterName
  subnetId: ''
}
var sizedClusters = concat(clusters, createCluster ? [ownCluster] : [])
// One role definition for each resource group that holds clusters: 'subscription/group', each once.
var clusterPlaces = [for sized in sizedClusters: toLower('${sized.subscriptionId}/${sized.resourceGroup}')]
var clusterGroups = union(clusterPlaces, [])
var clusterSubscriptions = [for sized in sizedClusters: toLower(sized.subscriptionId)]
var factSubscriptions = readSubscriptionFacts ? union(clusterSubscriptions, []) : []
var joinedSubnets = filter(clusters, c => !empty(c.subnetId))

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: resourceGroupName
  location: location
  tags: allTags
}

module identities 'modules/identities.bicep' = {
  scope: group
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
  }
}

module network 'modules/network.bicep' = if (privateNetworking) {
  scope: group
  params: {
    name: 'vnet-forescale-${environmentName}'
    location: location
    tags: allTags
    appSubnetPrefix: appSubnetPrefix
    endpointSubnetPrefix: endpointSubnetPrefix
    blobHost: blobHost
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyQuotaGB: logDailyQuotaGB
    alertEmails: alertEmails
    publisherPrincipalId: identities.outputs.appPrincipalId
  }
}

module storage 'modules/data-storage.bicep' = {
  scope: group
  params: {
    name: 'stfs${token}'
    location: location
    tags: allTags
    sku: storageSku
    dataContainerName: dataContainerName
    decisionRetentionDays: decisionRetentionDays
    historyRetentionDays: historyRetentionDays
    appPrincipalId: identities.outputs.appPrincipalId
    trainingPrincipalId: trains ? identities.outputs.trainingPrincipalId : ''
    operatorObjectIds: operatorObjectIds
    hostStorageScope: hostStorageScope
    publicAccess: !privateNetworking
  }
}

module storageEndpoint 'modules/private-endpoint.bicep' = if (privateNetworking) {
  scope: group
  params: {
    name: 'pe-data-${environmentName}'
    location: location
    tags: allTags
    subnetId: network!.outputs.endpointSubnetId
    targetId: storage.outputs.id
    groupId: 'blob'
    dnsZoneIds: [network!.outputs.blobZoneId]
  }
}

module training 'modules/training.bicep' = if (trains) {
  scope: group
  params: {
    environmentName: environmentName
    token: token
    location: location
    tags: allTags
    appPrincipalId: identities.outputs.appPrincipalId
    trainingIdentityId: identities.outputs.trainingId
    trainingPrincipalId: identities.outputs.trainingPrincipalId
    workspaceIdentityId: identities.outputs.workspaceId
    workspacePrincipalId: identities.outputs.workspacePrincipalId
    logsWorkspaceId: monitoring.outputs.workspaceId
    computeName: trainingComputeName
    vmSize: trainingVmSize
    maxNodes: trainingMaxNodes
    pipelineName: trainingPipeline
    networkAccess: privateNetworking ? 'Disabled' : 'Enabled'
    dataStorageId: storage.outputs.id
  }
}

module trainingEndpoint 'modules/private-endpoint.bicep' = if (trains && privateNetworking) {
  scope: group
  params: {
    name: 'pe-ml-${environmentName}'
    location: location
    tags: allTags
    subnetId: network!.outputs.endpointSubnetId
    targetId: training!.outputs.workspaceId
    groupId: 'amlworkspace'
    dnsZoneIds: network!.outputs.machineLearningZoneIds
  }
}

module trainingStorageEndpoint 'modules/private-endpoint.bicep' = if (trains && privateNetworking) {
  scope: group
  params: {
    name: 'pe-mldata-${environmentName}'
    location: location
    tags: allTags
    subnetId: network!.outputs.endpointSubnetId
    targetId: training!.outputs.storageId
    groupId: 'blob'
    dnsZoneIds: [network!.outputs.blobZoneId]
  }
}

module app 'modules/function-app.bicep' = {
  scope: group
  params: {
    name: 'func-forescale-${environmentName}-${take(token, 6)}'
    location: location
    tags: allTags
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    identityId: identities.outputs.appId
    identityClientId: identities.outputs.appClientId
    blobEndpoint: storage.outputs.blobEndpoint
    packageContainerName: storage.outputs.packageContainerName
    insightsConnectionString: monitoring.outputs.insightsConnectionString
    subnetId: privateNetworking ? network!.outputs.appSubnetId : ''
    publicHttp: publicHttp || !privateNetworking
    entraClientId: entraClientId
    settings: {
      FORESCALE_BACKEND: 'azure'
      FORESCALE_SCHEDULE: schedule
      FORESCALE_WATCH_SCHEDULE: watchSchedule
      FORESCALE_STORAGE_ACCOUNT_URL: storage.outputs.blobEndpoint
      FORESCALE_CONTAINER: dataContainerName
      FORESCALE_IDENTITY_CLIENT_ID: identities.outputs.appClientId
      FORESCALE_CLOUD: clouds[environment().name]
      FORESCALE_ARM_ENDPOINT: armEndpoint
      FORESCALE_RETRAINING_BACKEND: retrainingBackend
      FORESCALE_AML_SUBSCRIPTION_ID: trains ? subscription().subscriptionId : ''
      FORESCALE_AML_RESOURCE_GROUP: trains ? resourceGroupName : ''
      FORESCALE_AML_WORKSPACE: trains ? training!.outputs.workspaceName : ''
      FORESCALE_AML_COMPUTE: trainingComputeName
      FORESCALE_AML_EXPERIMENT: trainingExperiment
      FORESCALE_AML_PIPELINE: trainingPipeline
      FORESCALE_AML_IDENTITY_CLIENT_ID: trains ? identities.outputs.trainingClientId : ''
    }
  }
}

module appEndpoint 'modules/private-endpoint.bicep' = if (privateNetworking && !publicHttp) {
  scope: group
  params: {
    name: 'pe-app-${environmentName}'
    location: location
    tags: allTags
    subnetId: network!.outputs.endpointSubnetId
    targetId: app.outputs.id
    groupId: 'sites'
    dnsZoneIds: [network!.outputs.sitesZoneId]
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
    logsWorkspaceId: monitoring.outputs.workspaceId
    actionGroupId: monitoring.outputs.actionGroupId
    tickLateAfterMin: tickLateAfterMin
    modelStaleAfterDays: modelStaleAfterDays
  }
}

module cluster 'modules/cluster.bicep' = if (createCluster) {
  scope: group
  params: {
    name: newClusterName
    kubernetesVersion: newClusterVersion
    tier: newClusterTier
    vmSize: newClusterVmSize
    nodes: newClusterNodes
    autoscalerMax: newClusterAutoscalerMax
    authorizedIPRanges: newClusterAuthorizedIPRanges
    location: location
    tags: allTags
  }
}

module clusterRoles 'modules/cluster-role.bicep' = [
  for place in clusterGroups: if (clusterRole == 'custom') {
    scope: resourceGroup(split(place, '/')[0], split(place, '/')[1])
    params: {
      environmentName: environmentName
    }
    dependsOn: [group]
  }
]

module clusterAccess 'modules/cluster-access.bicep' = [
  for sized in sizedClusters: {
    scope: resourceGroup(sized.subscriptionId, sized.resourceGroup)
    params: {
      clusterName: sized.name
      principalId: identities.outputs.appPrincipalId
      role: clusterRole
      environmentName: environmentName
    }
    dependsOn: [cluster, clusterRoles]
  }
]

module subscriptionFacts 'modules/subscription-facts.bicep' = [
  for subscriptionId in factSubscriptions: {
    scope: subscription(subscriptionId)
    params: {
      environmentName: environmentName
      principalId: identities.outputs.appPrincipalId
    }
  }
]

module subnetAccess 'modules/subnet-access.bicep' = [
  for joined in joinedSubnets: {
    scope: resourceGroup(split(joined.subnetId, '/')[2], split(joined.subnetId, '/')[4])
    params: {
      virtualNetworkName: split(joined.subnetId, '/')[8]
      subnetName: last(split(joined.subnetId, '/'))
      principalId: identities.outputs.appPrincipalId
      environmentName: environmentName
    }
  }
]

module demandAccess 'modules/demand-access.bicep' = [
  for source in demandSources: {
    scope: resourceGroup(source.subscriptionId, source.resourceGroup)
    params: {
      kind: source.kind
      name: source.name
      principalId: identities.outputs.appPrincipalId
    }
    dependsOn: [cluster]
  }
]

// azd reads the first two. The others start small, because Resource Manager would answer FORESCALE_URL as forescalE_URL.
@description('Resource group of the installation.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Function app that azd publishes to.')
output AZURE_FUNCTION_APP_NAME string = app.outputs.name

@description('Resource group of the installation.')
output resourceGroupName string = group.name

@description('Function app; func and the pipelines publish to it.')
output functionAppName string = app.outputs.name

@description('Base address of the HTTP functions.')
output appUrl string = app.outputs.url

@description('Data storage account.')
output storageAccountName string = storage.outputs.name

@description('Blob endpoint of the data storage account.')
output storageAccountUrl string = storage.outputs.blobEndpoint

@description('Data container.')
output containerName string = dataContainerName

@description('Azure ML workspace, if there is one.')
output amlWorkspaceName string = trains ? training!.outputs.workspaceName : ''

@description('Client id of the Entra app registration in front of the HTTP functions; empty if there is none.')
output signInClientId string = entraClientId

@description('Object id of the identity of the app, to grant it more.')
output appPrincipalId string = identities.outputs.appPrincipalId

@description('Clusters the app may size.')
output clusterNames array = [for sized in sizedClusters: '${sized.subscriptionId}/${sized.resourceGroup}/${sized.name}']
