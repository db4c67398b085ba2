package grouping

// baseLibraries are libraries by where package managers and systems install them.
const baseLibraries = `
path:**/site-packages/** -app
path:**/dist-packages/** -app
path:**/node_modules/** -app
path:**/vendor/** -app
path:**/gems/** -app
path:**/go/pkg/mod/** -app
path:**/usr/local/go/src/** -app
path:**/.cargo/registry/** -app
path:/rustc/** -app
path:/usr/lib/** -app
path:/usr/local/lib/** -app
path:/usr/include/** -app

# The line by which a process of Python's multiprocessing is started holds the numbers of its pipes.
family:other module:__main__ function:<module> path:**/<string> -app -group

# .NET.
module:System.* -app
module:Microsoft.* -app
`

// baseScripts are what compilers, engines and networks of delivery add to scripts.
const baseScripts = `
family:javascript path:**/unpkg.com/** -app
family:javascript path:**/cdnjs.cloudflare.com/** -app
family:javascript path:**/cdn.jsdelivr.net/** -app
family:javascript path:**/esm.run/** -app
family:javascript path:node:* -app
family:javascript path:node:*/** -app
family:javascript path:internal/** -app
family:javascript path:webpack:///webpack/** -app

# Helpers that compilers and old browsers need.
family:javascript module:@babel/* -app -group
family:javascript module:core-js/* -app -group
family:javascript module:tslib/* -app -group
family:javascript module:regenerator-runtime/* -app -group

# Tools that wrap every function to watch it.
family:javascript path:**/newrelic/** -app -group
family:javascript function:nrWrapper -app -group
family:javascript path:**/nr-*.min.js -app -group
family:javascript path:**/logrocket*.js -app -group
family:javascript path:**/cdn.logrocket.io/** -app -group
family:javascript path:**/cdn.lr-ingest.*/** -app -group

# The queues of Node.
family:javascript function:processTicksAndRejections -app -group
family:javascript function:process.processTicksAndRejections -app -group
family:javascript function:runMicrotasks -app -group
family:javascript function:processImmediate -app -group
family:javascript function:process.processImmediate -app -group
family:javascript function:process._tickCallback -app -group
`

// baseJVM are the Java virtual machine, Android and what runs on them.
const baseJVM = `
module:akka.* -app
module:android.* -app
module:androidx.* -app
module:ch.qos.logback.* -app
module:clojure.* -app
module:com.android.* -app
module:com.fasterxml.* -app
module:com.google.common.* -app
module:com.microsoft.* -app
module:com.netflix.* -app
module:com.sun.* -app
module:com.zaxxer.* -app
module:dalvik.* -app
module:feign.* -app
module:groovy.* -app
module:io.grpc.* -app
module:io.netty.* -app
module:io.opentelemetry.* -app
module:io.reactivex.* -app
module:io.sentry.* -app -group
module:io.undertow.* -app
module:io.vertx.* -app
module:jakarta.* -app
module:java.* -app
module:javax.* -app
module:jdk.* -app
module:junit.* -app
module:kotlin.* -app
module:kotlinx.* -app
module:net.bytebuddy.* -app
module:okhttp3.* -app
module:okio.* -app
module:org.apache.* -app
module:org.codehaus.* -app
module:org.eclipse.* -app
module:org.glassfish.* -app
module:org.hibernate.* -app
module:org.jboss.* -app
module:org.jdesktop.* -app
module:org.jetbrains.* -app
module:org.junit.* -app
module:org.postgresql.* -app
module:org.slf4j.* -app
module:org.springframework.* -app
module:play.* -app
module:reactor.* -app
module:retrofit2.* -app
module:rx.* -app
module:scala.* -app
module:sun.* -app

# A program that does not answer: what it does at the moment is chance. The outermost frame that is not the system's
# tells one from another.
error.mechanism:{ANR,AppExitInfo} module:{android,com.android,dalvik,java}.* -group
[module:{android,com.android,java}.*] | error.mechanism:{ANR,AppExitInfo} !module:{android,com.android,dalvik,java}.* ^-group
`

// baseNative are the runtimes of compiled languages and of Linux.
const baseNative = `
# Libraries of the system.
family:native package:/usr/** -app
family:native package:/lib/** -app
family:native package:/lib32/** -app
family:native package:/lib64/** -app
family:native package:/opt/** -app
family:native package:linux-gate.so -app
family:native package:linux-vdso.so.1 -app
family:native package:/system/** -app
family:native package:/apex/** -app
family:native package:/vendor/** -app

# Libraries of languages. In a run of calls within one of them only the first tells anything.
family:native function:std::* -app
family:native function:core::* -app
family:native function:alloc::* -app
family:native function:boost::* -app
family:native function:__gnu_cxx::* -app
family:native function:backtrace::* -app
family:native function:failure::* -app
family:native function:__rust_* -app
family:native function:rust_begin_unwind -app
[function:std::*] | family:native function:std::* -group
family:native function:std::__1::* -group
family:native function:<lambda>* -group

# Where threads and programs begin.
family:native function:_start -app v-group -group
family:native function:__libc_start_main* -app v-group -group
family:native function:__libc_start_call_main -app v-group -group
family:native function:main v-app
family:native function:start_thread -app v-group -group
family:native function:clone -app v-group -group
family:native function:__clone* -app v-group -group

# What follows once an error has been raised.
family:native function:__cxa_throw -app ^-app -group ^-group
family:native function:__cxa_rethrow -app ^-app -group ^-group
family:native function:_Unwind_RaiseException -app ^-app -group ^-group
family:native function:_Unwind_Resume -app ^-app -group ^-group
family:native function:std::terminate -app ^-app -group ^-group
family:native function:__assert_fail* -app ^-app -group ^-group
family:native function:__assert_rtn -app ^-app -group ^-group
family:native function:abort -app ^-app -group ^-group
family:native function:raise -app -group ^-group
family:native function:__pthread_kill -app -group
family:native function:pthread_kill -app -group
family:native function:__stack_chk_fail -app ^-group -group
family:native function:std::panicking::begin_panic* -app ^-app -group ^-group
family:native function:std::panicking::rust_panic* -app ^-app -group ^-group
family:native function:core::panicking::* -app ^-app -group ^-group
family:native function:rust_begin_unwind -app ^-app -group ^-group
family:native function:_sigtramp -app -group
family:native function:malloc_vreport -app -group ^-group
family:native function:malloc_printerr -app -group ^-group

# The client's own.
family:native function:sentry__* -app
family:native function:sentry_* -app
`

// baseApple are the systems of Apple.
const baseApple = `
family:native package:/usr/lib/** -app
family:native package:/system/library/** -app
family:native package:/library/** -app
family:native package:/developer/** -app
family:native package:**/containers/bundle/application/** +app
family:native package:**/*.app/contents/** +app
family:native package:/var/**/frameworks/** -app
family:native package:/private/var/**/frameworks/** -app
family:native package:**/frameworks/libswift*.dylib -app
family:native package:**/sentry.framework/** -app -group
family:native package:**/sentryprivate.framework/** -app -group
family:native package:**/kscrash.framework/** -app -group

# Where threads and programs begin.
family:native function:start package:**/libdyld* -app v-group -group
family:native function:start package:**/dyld -app v-group -group
family:native function:_pthread_start -app v-group -group
family:native function:_pthread_body -app v-group -group
family:native function:_pthread_wqthread -app v-group -group
family:native function:start_wqthread -app v-group -group
family:native function:thread_start -app v-group -group
family:native function:UIApplicationMain -app -group v-group
family:native function:NSApplicationMain -app -group v-group
family:native function:GSEventRunModal -app -group

# Loops that wait for events, and queues.
family:native function:"-\[NSApplication(NSEvent) _nextEvent*" -app -group
family:native function:_DPSNextEvent -app -group
family:native function:_BlockUntilNextEventMatching* -app -group
family:native function:ReceiveNextEventCommon* -app -group
family:native function:RunCurrentEventLoopInMode -app -group
family:native function:CFRunLoopRun* -app -group
family:native function:__CFRunLoop* -app -group
family:native function:__CFRUNLOOP_IS_CALLING_OUT_* -app -group
family:native function:__CFNOTIFICATIONCENTER_IS_CALLING_OUT_* -app -group
family:native function:__NSThreadPerformPerform -app -group
family:native function:__NSFireTimer -app -group
family:native function:__NSThread__start__ -app v-group -group
family:native function:_dispatch_* -app -group

# What follows once an exception has been raised.
family:native function:_NSRaiseError -app ^-app -group ^-group
family:native function:objc_exception_throw -app ^-app ^-group
family:native function:objc_exception_rethrow -app ^-app -group ^-group
family:native function:"-\[NSException raise\]" -app ^-app -group ^-group
family:native function:"+\[NSException raise:*" -app ^-app -group ^-group
family:native function:"+\[NSException exceptionWithName:*" -app ^-app -group ^-group
family:native function:_objc_fatal* -app ^-app -group ^-group
family:native function:_CFThrowFormattedException -app ^-app -group ^-group
family:native function:swift_unexpectedError -app ^-app -group ^-group
family:native function:_assertionFailure* -app ^-app -group ^-group
family:native function:_swift_stdlib_reportFatalError* -app ^-app -group ^-group

# Graphics: drivers differ from machine to machine, and what they do after the work was handed over is theirs.
family:native function:gpusKillClient* -app -group ^-group
family:native function:gpusGenerateCrashLog* -app -group ^-group
family:native function:"-\[_NSOpenGLViewBackingLayer *" -group
family:native function:"-\[NSOpenGLContext flushBuffer\]" -group
family:native package:**/glengine.bundle/** -app -group
family:native package:/system/library/extensions/*driver.bundle/** -app -group
family:native package:/system/library/extensions/*driver*.bundle/** -app -group
`

// baseWindows is the system of Microsoft.
const baseWindows = `
family:native package:?:/windows/** -app
family:native package:**/windows/system32/** -app
family:native package:**/windows/syswow64/** -app
family:native package:**/windows/winsxs/** -app

# Where threads and programs begin.
family:native function:BaseThreadInitThunk -app v-group -group
family:native function:RtlUserThreadStart* -app v-group -group
family:native function:__RtlUserThreadStart -app v-group -group
family:native function:_RtlUserThreadStart -app v-group -group
family:native function:__scrt_common_main* -app -group v-group
family:native function:__tmainCRTStartup -app -group v-group
family:native function:invoke_main -app -group
family:native function:thread_start<T> -app -group
family:native function:_callthreadstart* -app -group

# What follows once an error has been raised.
family:native function:RaiseException -app ^-app -group ^-group
family:native function:_CxxThrowException -app ^-app -group ^-group
family:native function:CxxThrowException -app ^-app -group ^-group
family:native function:KiUserExceptionDispatch* -app ^-app -group ^-group
family:native function:UnhandledExceptionFilter -app ^-app -group ^-group
family:native function:_invalid_parameter* -app ^-group -group
family:native function:_purecall -app ^-group -group

# Drivers, and the layer above them that tears a device down.
family:native package:**/driverstore/** -app -group
family:native package:**/nvoglv*.dll -app -group
family:native package:**/nvwgf2um*.dll -app -group
family:native package:**/atio*.dll -app -group
family:native package:**/atidxx*.dll -app -group
family:native package:**/amdxx*.dll -app -group
family:native package:**/ig*icd*.dll -app -group
family:native package:**/igd*.dll -app -group
family:native package:**/d3d11.dll function:CContext::* -group
family:native package:**/d3d11.dll function:NDXGI::* -group
`

// baseEngines are the reporting of errors in game engines.
const baseEngines = `
family:native function:FDebug::* -app ^-app -group ^-group
family:native function:FError::* -app ^-app -group ^-group
family:native function:FOutputDevice::Logf* -app ^-app -group ^-group
family:native function:FMsg::Logf* -app ^-app -group ^-group
family:native function:FGenericPlatformMisc::RaiseException -app ^-app -group ^-group
family:native function:FWindowsErrorOutputDevice::* -app ^-app -group ^-group
family:native function:FWindowsPlatformMisc::RaiseException -app ^-app -group ^-group
family:native function:FMacErrorOutputDevice::* -app ^-app -group ^-group
family:native function:FUnixErrorOutputDevice::* -app ^-app -group ^-group
family:native function:AssertFailedImplV -app ^-app -group ^-group
family:native function:ReportAssert -app ^-app -group ^-group
`

// baseDart is Dart, Flutter and the client's packages for them.
const baseDart = `
path:org-dartlang-sdk:///** -app -group
path:**/packages/flutter/** -app
path:package:flutter/** -app
path:package:sentry/** -app -group
path:package:sentry_*/** -app -group
`
