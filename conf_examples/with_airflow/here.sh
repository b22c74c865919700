# An Airflow of this folder's own, to try the DAG with: source here.sh
export AIRFLOW_HOME="$PWD/airflow" AIRFLOW__CORE__DAGS_FOLDER="$PWD" AIRFLOW__CORE__LOAD_EXAMPLES=false
export AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY=1 AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=false
