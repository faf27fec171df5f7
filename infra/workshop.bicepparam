// The shape of the workshop: its cluster of one Standard_D2_v3 node that may go to two, no cluster autoscaler, its names.
using 'main.bicep'

param environmentName = 'workshop'
param location = readEnvironmentVariable('LOCATION', 'westeurope')
param resourceGroupName = '${readEnvironmentVariable('BASE_NAME', 'forescale')}-AML-RG'
param operatorObjectIds = empty(readEnvironmentVariable('AZURE_PRINCIPAL_ID', ''))
  ? []
  : [readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')]

param createCluster = true
param newClusterName = readEnvironmentVariable('AKS_NAME', 'atDevDayCluster')
param newClusterVmSize = 'Standard_D2_v3'
param newClusterNodes = 1
param newClusterAutoscalerMax = 0

param dataContainerName = readEnvironmentVariable('STORAGE_BLOB_NAME', 'modeldata')
param trainingComputeName = readEnvironmentVariable('AML_COMPUTE_CLUSTER_NAME', 'train-cluster')
param trainingExperiment = readEnvironmentVariable('EXPERIMENT_NAME', 'mlopspython')
