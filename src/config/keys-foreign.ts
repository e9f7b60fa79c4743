/**
 * Keys and objects of the tools whose files load as they are. The keys have no meaning here: they
 * are kept, shown by `arbiter config show`, and passed to the daemon. The objects describe what
 * those tools monitor and are passed over.
 */

const DAEMON = `
  data_timeout long_timeout polling_interval satellitemap satellite_map modules module_name manage_arbiters
  accept_passive_unknown_check_results passive min_workers max_workers processes_by_worker
  worker_polling_interval max_plugins_output_length max_queue_size poller_tags poller_tag reactionner_tags
  reactionner_tag skip_initial_broks weight daemon_thread_pool_size thread_pool_size direct_routing
  host_name host active alignak_launched is_daemon is_active daemon_enabled daemons_arguments
  statsd_host statsd_port statsd_prefix statsd_enabled statsd_interval statsd_types statsd_pattern graphite_enabled
  workdir logdir etcdir bindir vardir rundir libdir group debug debug_file pid_filename pidfile port_arbiter
  log_loop log_filename log_rotation_when log_rotation_interval log_rotation_count log_date log_cherrypy
  local_log use_local_log human_timestamp_log human_date_format logger_configuration
  server_cert server_key server_dh ca_cert ca_cert_file cert_file http_backend idontcareaboutsecurity
  use_timezone create_directories do_replace daemon_type cfg cfg_file cfg_dir imported_from
  harakiri_threshold harakiri raw_conf hostname broks_batch servicegroup kafka_conn
`;

/** What Alignak's [DEFAULT] sets for its whole configuration. */
const GLOBAL = `
  config_name alignak_name alignak_monitor alignak_monitor_period alignak_monitor_username
  alignak_monitor_password accept_passive_host_checks accept_passive_service_checks
  additional_freshness_latency check_external_commands check_host_freshness check_service_freshness
  clean_objects daemons_check_period daemons_dispatch_timeout daemons_failure_kill daemons_initial_port
  daemons_new_conf_timeout daemons_script_location daemons_start_timeout daemons_stop_timeout
  daemons_log_folder enable_environment_macros enable_event_handlers enable_flap_detection
  enable_notifications enable_problem_impacts_states_change event_handler_timeout events_date_format
  events_log_count execute_host_checks execute_service_checks flap_history global_host_event_handler
  global_service_event_handler high_host_flap_threshold high_service_flap_threshold host_check_timeout
  host_freshness_check_interval host_perfdata_command host_perfdata_file instance_id instance_name interval_length
  launch_missing_daemons log_acknowledgements log_active_checks log_alerts log_alignak_checks log_downtimes
  log_event_handlers log_external_commands log_flappings log_initial_states log_notifications
  log_passive_checks log_snapshots low_host_flap_threshold low_service_flap_threshold max_host_check_spread
  max_service_check_spread no_event_handlers_during_downtimes notification_timeout
  passive_host_checks_are_soft process_performance_data retain_state_information retention_update_interval
  service_check_timeout service_freshness_check_interval service_perfdata_command service_perfdata_file
  state_retention_dir state_retention_file tick_check_for_expire_acknowledge
  tick_check_for_system_time_change tick_check_freshness tick_check_orphaned tick_clean_caches
  tick_clean_queues tick_consume_results tick_delete_zombie_actions tick_delete_zombie_checks
  tick_get_latency_average_percentile tick_get_new_actions tick_get_new_broks
  tick_get_objects_from_from_queues tick_manage_internal_checks tick_reset_topology_change_flags
  tick_scatter_master_notifications tick_schedule tick_send_broks_to_modules tick_update_business_values
  tick_update_downtimes_and_comments tick_update_program_status tick_update_retention timeout_exit_status
`;

const REALM = `
  alias members_exclude higher_realms group_members realms broker_complete_links passively_checked_hosts
  actively_checked_hosts display_name hosts hostgroups default_realm
`;

const OBJECTS = `
  host service command contact contactgroup hostgroup servicegroup timeperiod module modulation
  resultmodulation businessimpactmodulation macromodulation checkmodulation escalation hostescalation
  serviceescalation hostdependency servicedependency hostextinfo serviceextinfo notificationway
  notification discoveryrule discoveryrun trigger pack shinkenpack skonf satellite
`;

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/u));

export const FOREIGN_KEYS: ReadonlySet<string> = words(DAEMON);
/** Known beside `FOREIGN_KEYS` in [DEFAULT] and in sections of Alignak's form. */
export const FOREIGN_GLOBAL_KEYS: ReadonlySet<string> = words(GLOBAL);
export const FOREIGN_REALM_KEYS: ReadonlySet<string> = words(REALM);
export const FOREIGN_OBJECTS: ReadonlySet<string> = words(OBJECTS);

/** Main files name other files and macros; the folder is read whole, so these lines say nothing new. */
export const MAIN_FILE_LINE: RegExp =
  /^\s*(?:(?:cfg_dir|cfg_file|resource_file|triggers_dir|packs_dir)\b|\$\w+\$\s*=)/iu;
